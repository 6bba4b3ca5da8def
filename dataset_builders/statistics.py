"""Numbers about a dataset folder: named SQL queries that DuckDB runs on the parquet files.

Each file of `dataset_builders/sql` is one query over the views `dialogues`, `pairs`, `downstream`, `drops` and
`clusters` (`views.sql` makes them); its first lines say what its columns are and their units. They are aggregates: no
table is ever held in memory as a whole. The DuckDB command line runs the same files:

    cd DATASET
    duckdb -c ".read .../dataset_builders/sql/views.sql" -c ".read .../dataset_builders/sql/dialogue_statistics.sql"
"""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

Rows = list[dict[str, Any]]
"""The answer to a query: a dict a row, keyed by the columns that the query's file explains."""

SQL = Path(__file__).with_name("sql")

QUERIES = tuple(sorted(path.stem for path in SQL.glob("*.sql") if path.stem != "views"))
"""Names of the queries."""

MEASURED = ("utterance_lengths", "pair_lengths")
"""Views that several queries read and that cost a pass over all texts: kept as tables while a folder is open."""


@contextmanager
def open_folder(folder: str | Path, memory: str = "1GB", threads: int = 2) -> Iterator[DuckDBPyConnection]:
    """A connection with the views over a dataset folder.

    Args:
        folder: A folder made by `dialogue-cube build`; a config or a quality file that is not there is an empty view.
        memory: Above this, DuckDB goes on in temporary files.
        threads: Threads of DuckDB.

    Raises:
        DataError: A parquet file cannot be read, or lacks a column.
    """
    import duckdb
    import pyarrow as pa

    from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS, DROPS

    folder = Path(folder)
    split = pa.field("split", pa.string())
    files: dict[str, tuple[str, pa.Schema]] = {
        config: (f"{config}/*.parquet", schema.append(split)) for config, schema in ARROW_SCHEMAS.items()
    }
    files["drops"] = ("quality/drops.parquet", DROPS.arrow_schema)
    files["clusters"] = ("quality/clusters.parquet", CLUSTERS.arrow_schema)
    with tempfile.TemporaryDirectory(prefix="dialogue-cube-") as spill:
        settings: dict[str, Any] = {"memory_limit": memory, "threads": threads, "temp_directory": spill}
        with duckdb.connect(config=settings) as connection, _readable(folder):
            connection.execute("SET enable_progress_bar = false")  # it would go to standard output
            connection.execute("SET VARIABLE folder = ?", [glob.escape(str(folder))])
            for name, (pattern, schema) in files.items():
                if not any(folder.glob(pattern)):
                    connection.register(f"no_{name}", schema.empty_table())
                    connection.execute(f"CREATE VIEW {name} AS FROM no_{name}")
            connection.execute((SQL / "views.sql").read_text(encoding="utf-8"))
            for name, (_, schema) in files.items():
                _check_columns(connection, folder, name, schema)
            for name in MEASURED:
                connection.execute(f"CREATE TEMP TABLE {name} AS FROM memory.main.{name}")
            yield connection


def query(connection: DuckDBPyConnection, name: str) -> Rows:
    """Run one of `QUERIES` on any connection that has the views (or tables of the same names)."""
    cursor = connection.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def statistics(folder: str | Path, progress: Callable[[str], None] | None = None) -> dict[str, Rows]:
    """Run all queries on a dataset folder.

    Args:
        folder: A folder made by `dialogue-cube build`.
        progress: Called with the name of each query before it runs.

    Raises:
        DataError: As `open_folder`.
    """
    with open_folder(folder) as connection:
        found = {}
        for name in QUERIES:
            if progress is not None:
                progress(name)
            found[name] = query(connection, name)
        return found


def _check_columns(connection: DuckDBPyConnection, folder: Path, name: str, schema: pa.Schema) -> None:
    missing = set(schema.names) - {column for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall()}
    if missing:
        what = f"{folder}: {name} lack the columns {', '.join(sorted(missing))}"
        raise DataError(f"{what}; another version built it, build it again")


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """DuckDB's errors about broken files as one line."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        cause = str(error).strip().splitlines()[0]
        raise DataError(f"{folder}: its parquet files cannot be read ({cause}); build or download it again") from error
