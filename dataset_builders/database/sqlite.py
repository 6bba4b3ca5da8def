"""Export the tables to one SQLite file, for tools that need it; lists and structs become JSON.

DuckDB would have to download its SQLite extension, so this uses Python's `sqlite3`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders import sql
from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import OutputKind, output_file
from dataset_builders.database import facts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from dataset_builders.database.writer import Progress

APPLICATION_ID = 0x64637562
"""Application id in the header of the file, by which an export recognises a file that it may replace."""

_BATCH = 5_000

_TYPES = {"INTEGER": "INTEGER", "BIGINT": "INTEGER", "BOOLEAN": "INTEGER", "FLOAT": "REAL", "DOUBLE": "REAL"}
"""SQLite type by DuckDB type; all others become text."""

_INDEXES = {
    "dialogs": ("source, split", "cluster_id"),
    "turns": ("source, split",),
    "pairs": ("dialogue_id", "source, split"),
    "downstream": ("source, split", "label"),
    "drops": ("config, filter, source",),
    "clusters": ("cluster_id",),
}


def export_sqlite(connection: DuckDBPyConnection, out: str | Path, progress: Progress | None = None) -> dict[str, int]:
    """Write all tables and aggregates to a SQLite file.

    Args:
        connection: Connection to a database (`open_database`) or a dataset folder (`open_folder`).
        out: Path of the SQLite file; an earlier export is replaced.
        progress: Called before each table with its name, the number of finished tables and of all tables.

    Returns:
        Number of rows by table.

    Raises:
        DataError: `out` is a file that was not made by an export, or cannot be written.
    """
    out = Path(out)
    names = [*facts.SCHEMAS, *sql.queries("tables"), *sql.queries("aggregates")]
    rows = {}
    with (
        _one_line(out),
        output_file(out, SQLITE, wait=True) as aside,
        closing(sqlite3.connect(aside, isolation_level=None)) as target,
    ):
        target.execute("PRAGMA journal_mode = OFF")  # an unfinished file is deleted anyway
        target.execute("PRAGMA synchronous = OFF")
        target.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        target.execute("BEGIN")
        for done, name in enumerate(names):
            if progress is not None:
                progress(name, done, len(names))
            rows[name] = _copy(connection, target, name)
        target.execute("COMMIT")
        target.execute("ANALYZE")
    return rows


def _copy(connection: DuckDBPyConnection, target: sqlite3.Connection, name: str) -> int:
    aliases = sql.ALIASES.get(name, {})
    described = connection.execute(f"DESCRIBE {name}").fetchall()
    types = {column: kind for column, kind, *_ in described if column not in aliases}
    definitions = [f'"{column}" {_TYPES.get(kind, "TEXT")}' for column, kind in types.items()]
    definitions += [f'"{name}" TEXT GENERATED ALWAYS AS ("{column}") VIRTUAL' for name, column in aliases.items()]
    key = sql.KEYS.get(name) or facts.KEYS.get(name)
    if key:
        definitions.append(f"PRIMARY KEY ({', '.join(key)})")
    if name in ("turns", "pairs"):
        definitions.append("FOREIGN KEY (dialogue_id) REFERENCES dialogs (dialogue_id)")
    target.execute(f"CREATE TABLE {name} ({', '.join(definitions)})")
    columns = ", ".join(f'"{column}"' for column in types)
    marks = ", ".join("?" * len(types))
    rows = 0
    for batch in _batches(connection, name, types):
        target.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", batch)
        rows += len(batch)
    for index in _INDEXES.get(name, ()):
        target.execute(f"CREATE INDEX {name}_by_{index.replace(', ', '_')} ON {name} ({index})")
    return rows


def _batches(connection: DuckDBPyConnection, name: str, types: dict[str, str]) -> Iterator[list[tuple]]:
    columns = ", ".join(
        f'to_json("{column}")::VARCHAR' if kind.endswith("]") or kind.startswith("STRUCT") else f'"{column}"'
        for column, kind in types.items()
    )
    # on the connection itself, because a cursor does not see the views over a folder
    connection.execute(f"SELECT {columns} FROM {name}")
    while batch := connection.fetchmany(_BATCH):
        yield batch


@contextmanager
def _one_line(out: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:  # a full disk, or a duplicated key
        raise DataError(f"{out} cannot be written ({error})") from error


def _is_ours(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    except sqlite3.Error:
        return False


SQLITE = OutputKind("`dialogue-cube database --sqlite`", "--sqlite", _is_ours)
"""Files that an export may replace."""
