"""The tables as one SQLite file, for tools that read nothing else: lists and structs become JSON.

DuckDB's own SQLite writer is an extension that it downloads; Python's `sqlite3` is always there.
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
"""In the header of the file: marks it as ours, so that an export may replace it."""

_BATCH = 5_000

_TYPES = {"INTEGER": "INTEGER", "BIGINT": "INTEGER", "BOOLEAN": "INTEGER", "FLOAT": "REAL", "DOUBLE": "REAL"}
"""Of DuckDB -> of SQLite; every other type is text."""

_INDEXES = {
    "dialogs": ("source, split", "cluster_id"),
    "turns": ("source, split",),
    "pairs": ("dialogue_id", "source, split"),
    "downstream": ("source, split", "label"),
    "drops": ("config, filter, source",),
    "clusters": ("cluster_id",),
}


def export_sqlite(connection: DuckDBPyConnection, out: str | Path, progress: Progress | None = None) -> dict[str, int]:
    """Write all tables and aggregates.

    Args:
        connection: Of a database (`open_database`) or of a dataset folder (`open_folder`).
        out: The file; one that an earlier export wrote is replaced.
        progress: Called with the table, the tables done, and their number.

    Returns:
        Table -> rows.

    Raises:
        DataError: There is a file that no export wrote.
    """
    out = Path(out)
    names = [*facts.SCHEMAS, *sql.queries("tables"), *sql.queries("aggregates")]
    rows = {}
    with (
        _one_line(out),
        output_file(out, SQLITE, wait=True) as aside,
        closing(sqlite3.connect(aside, isolation_level=None)) as target,
    ):
        target.execute("PRAGMA journal_mode = OFF")  # a file that is not finished is thrown away
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
    kept = [(f'"{column}"', _TYPES.get(kind, "TEXT")) for column, kind in types.items()]
    defined = [f"{column} {kind}" for column, kind in kept]
    defined += [f'"{name}" TEXT GENERATED ALWAYS AS ("{column}") VIRTUAL' for name, column in aliases.items()]
    key = sql.KEYS.get(name) or facts.KEYS.get(name)
    if key:
        defined.append(f"PRIMARY KEY ({', '.join(key)})")
    if name in ("turns", "pairs"):
        defined.append("FOREIGN KEY (dialogue_id) REFERENCES dialogs (dialogue_id)")
    target.execute(f"CREATE TABLE {name} ({', '.join(defined)})")
    marks = ", ".join("?" * len(kept))
    rows = 0
    for batch in _batches(connection, name, types):
        target.executemany(f"INSERT INTO {name} ({', '.join(column for column, _ in kept)}) VALUES ({marks})", batch)
        rows += len(batch)
    for columns in _INDEXES.get(name, ()):
        target.execute(f"CREATE INDEX {name}_by_{columns.replace(', ', '_')} ON {name} ({columns})")
    return rows


def _batches(connection: DuckDBPyConnection, name: str, types: dict[str, str]) -> Iterator[list[tuple]]:
    chosen = ", ".join(
        f'to_json("{column}")::VARCHAR' if kind.endswith("]") or kind.startswith("STRUCT") else f'"{column}"'
        for column, kind in types.items()
    )
    connection.execute(f"SELECT {chosen} FROM {name}")  # on itself: a cursor does not see views over a folder
    while batch := connection.fetchmany(_BATCH):
        yield batch


@contextmanager
def _one_line(out: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:  # a full disk, a row that stands there twice
        raise DataError(f"{out} cannot be written ({error})") from error


def _is_ours(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as there:
            return there.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    except sqlite3.Error:
        return False


SQLITE = OutputKind("`dialogue-cube database --sqlite`", "--sqlite", _is_ours)
"""What an export may replace."""
