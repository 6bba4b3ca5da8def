"""Read-only queries to the database: one connection for all visitors, results cached until the file changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from dataset_builders.common.errors import DataError
from dataset_builders.dashboard.filters import Metadata
from dataset_builders.dashboard.scope import on_rows
from dataset_builders.database import open_database

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

Answer = TypeVar("Answer")

ANSWERS = 1000
"""Maximum number of cached results: a few hundred rows each, so at most tens of megabytes."""


@dataclass(frozen=True)
class Store:
    """One version of a database file.

    Attributes:
        path: Path of the file.
        state: Inode, size and time of change. Part of the cache key, so that results of an old file are not shown.
        metadata: Metadata of the rows that queries read; None for all rows.
    """

    path: str
    state: tuple[int, int, int]
    metadata: Metadata | None = None

    @classmethod
    def at(cls, path: str) -> Store:
        """The current version of a file.

        Raises:
            DataError: The file does not exist.
        """
        try:
            stat = Path(path).stat()
        except OSError:
            raise DataError(f"no database {path}; make it: dialogue-cube database --data DIR --out {path}") from None
        return cls(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))

    def only(self, metadata: Metadata | None) -> Store:
        """A view of the same file whose queries read only rows with this metadata; None for all rows."""
        return replace(self, metadata=metadata)

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """The result of a query, cached."""
        return _frame(self.only(None), self._on_rows(sql), tuple(parameters))

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The single value of a query, cached."""
        return self.frame(sql, parameters).iat[0, 0]

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The result as Python values, for nested columns; not cached."""

        def read(connection: DuckDBPyConnection) -> list[dict[str, Any]]:
            cursor = connection.execute(self._on_rows(sql), list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        return _file(self.path).ask(self.only(None), read)

    def columns(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        """The result as NumPy arrays by column; for many rows, and not cached."""

        def read(connection: DuckDBPyConnection) -> dict[str, Any]:
            return dict(connection.execute(self._on_rows(sql), list(parameters)).fetchnumpy())

        return _file(self.path).ask(self.only(None), read)

    def beside(self, other: str, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """The result of a query on this database and another one, cached; all rows of both.

        Args:
            other: Path of the other database, whose name in the query is `other`.
            sql: SQL with `{this}` as the name of this database.
            parameters: Values of the query.

        Raises:
            DataError: The other file does not exist.
        """
        return _beside(self.only(None), Store.at(other), sql, tuple(parameters))

    def _on_rows(self, sql: str) -> str:
        return on_rows(sql, self.metadata) if self.metadata else sql


@st.cache_data(max_entries=ANSWERS, show_spinner=False)
def _frame(store: Store, sql: str, parameters: tuple[Any, ...]) -> pd.DataFrame:
    return _file(store.path).ask(store, lambda connection: connection.execute(sql, list(parameters)).df())


@st.cache_data(max_entries=100, show_spinner=False)
def _beside(store: Store, other: Store, sql: str, parameters: tuple[Any, ...]) -> pd.DataFrame:
    def read(connection: DuckDBPyConnection) -> pd.DataFrame:
        quoted = other.path.replace("'", "''")
        # detached at the end, so that the queries of the page do not see its tables
        connection.execute(f"ATTACH '{quoted}' AS other (READ_ONLY)")
        try:
            (this,) = connection.execute("SELECT current_database()").fetchall()[0]
            name = '"' + this.replace('"', '""') + '"'
            return connection.execute(sql.replace("{this}", f"{name}.main"), list(parameters)).df()
        finally:
            connection.execute("DETACH other")

    return _file(store.path).ask(store, read)


@st.cache_resource(max_entries=1, show_spinner=False)
def _file(path: str) -> _File:
    return _File()


class _File:
    """The only connection to a file; runs one query at a time.

    DuckDB opens a file once per process, so the old connection must be closed before a new file of the same name is
    opened.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened = ExitStack()
        self._store: Store | None = None

    def ask(self, store: Store, question: Callable[[DuckDBPyConnection], Answer]) -> Answer:
        """Run a query on this version of the file."""
        with self._lock:
            if store != self._store:
                self._opened.close()
                self._store = None
                self._connection = self._opened.enter_context(open_database(store.path))
                _add_labels(self._connection)
                self._store = store
            return question(self._connection)


def _add_labels(connection: DuckDBPyConnection) -> None:
    """Give the tables of a database of an older version, where a row has one label, the column `labels`."""
    lacking = """
        SELECT table_name, format('"{}".main."{}"', database_name, table_name) FROM duckdb_columns()
        WHERE schema_name = 'main' AND table_name IN ('downstream', 'label_counts')
        GROUP BY ALL HAVING NOT bool_or(column_name = 'labels')
    """
    for name, place in connection.execute(lacking).fetchall():
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT *, [label] AS labels FROM {place}")
