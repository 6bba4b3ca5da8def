"""Run the queries of `dataset_builders.sql` on the parquet files of a dataset folder.

DuckDB aggregates the rows without loading a whole table into memory. A database made by `dialogue-cube database`
answers the same queries faster. DuckDB's command line answers them from the parquet files; see `sql.script`.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders import sql
from dataset_builders.common.errors import DataError
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.integrity import rebuild_advice

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

Rows = list[dict[str, Any]]
"""Result of a query: a dict per row, by column; the query's file explains the columns."""


@contextmanager
def folder_views(folder: str | Path, config: dict[str, Any]) -> Iterator[DuckDBPyConnection]:
    """Open a connection with views named `parquet_...` over the files of a dataset folder.

    Args:
        folder: A folder made by `dialogue-cube build`; the view of a missing config or quality file is empty.
        config: Settings of DuckDB.

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
    files["drops"] = ("quality/drops*.parquet", DROPS.arrow_schema)
    files["clusters"] = ("quality/clusters*.parquet", CLUSTERS.arrow_schema)
    with duckdb.connect(config=config) as connection, _readable(folder), stoppable():
        connection.execute("SET enable_progress_bar = false")  # DuckDB prints it to standard output
        connection.execute("SET VARIABLE folder = ?", [glob.escape(str(folder))])
        missing = {name: schema for name, (pattern, schema) in files.items() if not any(folder.glob(pattern))}
        for name, schema in missing.items():
            connection.register(f"no_{name}", schema.empty_table())
            connection.execute(f"CREATE VIEW parquet_{name} AS FROM no_{name}")
        connection.execute(sql.MACROS)
        for statement in connection.extract_statements(sql.PARQUET):
            # DuckDB before 2.0 looks for the files of a view even if the view exists already
            if not any(f"parquet_{name} " in statement.query for name in missing):
                connection.execute(statement)
        for name, (_, schema) in files.items():
            _complete_columns(connection, folder, name, schema)
        yield connection


@contextmanager
def open_folder(folder: str | Path, memory: str = "1GB", threads: int = 2) -> Iterator[DuckDBPyConnection]:
    """Open a connection with all queries of `dataset_builders.sql` as views over a dataset folder.

    Args:
        folder: A folder made by `dialogue-cube build`; the view of a missing config or quality file is empty.
        memory: Memory limit of DuckDB, such as "1GB"; beyond it, DuckDB uses temporary files.
        threads: Number of DuckDB threads.

    Raises:
        DataError: A parquet file cannot be read, or lacks a column.
    """
    with temporary_folder() as spill:
        settings: dict[str, Any] = {"memory_limit": memory, "threads": threads, "temp_directory": str(spill)}
        with folder_views(folder, settings) as connection:
            for query in sql.queries().values():
                connection.execute(query.view)
            yield connection


def query(connection: DuckDBPyConnection, name: str) -> Rows:
    """The rows of a metric, or of any other table or view of the connection."""
    cursor = connection.execute(f"FROM {name}")
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def statistics(folder: str | Path, progress: Callable[[str], None] | None = None) -> dict[str, Rows]:
    """Compute all metrics of a dataset folder.

    Args:
        folder: A folder made by `dialogue-cube build`.
        progress: Called with the name of each aggregate and metric before it is computed.

    Raises:
        DataError: As in `open_folder`.
    """
    progress = progress or (lambda _: None)
    with open_folder(folder) as connection, _readable(Path(folder)):
        for name in sql.queries("aggregates"):
            # a table, because it costs a pass over all texts and several metrics read it
            progress(name)
            connection.execute(f"CREATE TEMP TABLE {name} AS FROM memory.main.{name}")
        metrics = {}
        for name in sorted(sql.queries("metrics")):
            progress(name)
            metrics[name] = query(connection, name)
        return metrics


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt if Ctrl-C interrupts a query, which DuckDB reports as an error."""
    import duckdb

    try:
        yield
    except (RuntimeError, duckdb.Error) as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        raise


def is_interrupt(error: Exception) -> bool:
    """Whether an error of DuckDB comes from Ctrl-C, in DuckDB or in `dataset_builders.sql.read_only_files`."""
    import duckdb

    inside = re.search(r"^KeyboardInterrupt\b", str(error), re.MULTILINE)
    return isinstance(error, duckdb.InterruptException) or str(error) == "Query interrupted" or inside is not None


def _complete_columns(connection: DuckDBPyConnection, folder: Path, name: str, schema: pa.Schema) -> None:
    from dataset_builders.schema import ADDED, NESTED

    columns = {column: kind for column, kind, *_ in connection.execute(f"DESCRIBE parquet_{name}").fetchall()}
    missing = set(schema.names) - columns.keys()
    if added := sorted(missing & set(ADDED)):
        connection.register(f"today_{name}", schema.empty_table())
        types = {column: kind for column, kind, *_ in connection.execute(f"DESCRIBE today_{name}").fetchall()}
        more = ", ".join(f"NULL::{types[column]} AS {column}" for column in added)
        # DuckDB fills the fields that a struct lacks
        nested = ", ".join(f"{column}::{types[column]} AS {column}" for column in NESTED if column in columns)
        replaced = f"* REPLACE ({nested})" if nested else "*"
        connection.execute(f"ALTER VIEW parquet_{name} RENAME TO parquet_older_{name}")
        connection.execute(f"CREATE VIEW parquet_{name} AS SELECT {replaced}, {more} FROM parquet_older_{name}")
        missing -= set(added)
    if missing:
        raise DataError(
            f"{folder}: {name} lack the columns {', '.join(sorted(missing))}; another version built the folder, "
            f"{rebuild_advice(folder)}"
        )


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Raise DuckDB's errors about damaged files as one line."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        # damage inside a file raises the base class itself
        if type(error) not in (duckdb.Error, duckdb.IOException, duckdb.InvalidInputException):
            raise
        cause = str(error).strip().splitlines()[0]
        raise DataError(f"{folder}: its parquet files cannot be read ({cause}); build or download it again") from error
