"""Questions to the database: read-only, one connection for all visitors, answers kept while the file stays the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from dataset_builders.common.errors import DataError
from dataset_builders.database import open_database

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

Answer = TypeVar("Answer")

ANSWERS = 1000
"""Answers kept: a few hundred rows each, so some tens of megabytes at most."""


@dataclass(frozen=True)
class Store:
    """One state of one database file.

    Attributes:
        path: The file.
        state: Inode, size and time of change: another state is another store, nothing of the old one is shown.
    """

    path: str
    state: tuple[int, int, int]

    @classmethod
    def at(cls, path: str) -> Store:
        """The file as it is now.

        Raises:
            DataError: There is none.
        """
        try:
            found = Path(path).stat()
        except OSError:
            raise DataError(f"no database {path}; make it: dialogue-cube database --data DIR --out {path}") from None
        return cls(path, (found.st_ino, found.st_size, found.st_mtime_ns))

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """The answer to a query as columns; the same question is asked of the file once."""
        return _frame(self, sql, tuple(parameters))

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The only cell of an answer."""
        return self.frame(sql, parameters).iat[0, 0]

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The answer as plain Python values, for nested columns; not kept."""

        def read(connection: DuckDBPyConnection) -> list[dict[str, Any]]:
            cursor = connection.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        return _file(self.path).ask(self, read)


@st.cache_data(max_entries=ANSWERS, show_spinner=False)
def _frame(store: Store, sql: str, parameters: tuple[Any, ...]) -> pd.DataFrame:
    return _file(store.path).ask(store, lambda connection: connection.execute(sql, list(parameters)).df())


@st.cache_resource(max_entries=1, show_spinner=False)
def _file(path: str) -> _File:
    return _File()


class _File:
    """The one connection to a file; questions are asked one after another.

    DuckDB opens a file once in a process: to see a new file of the same name, the old one has to be let go first.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened = ExitStack()
        self._store: Store | None = None

    def ask(self, store: Store, question: Callable[[DuckDBPyConnection], Answer]) -> Answer:
        """The answer of the file as it is now."""
        with self._lock:
            if store != self._store:
                self._opened.close()
                self._store = None
                self._connection = self._opened.enter_context(open_database(store.path))
                self._store = store
            return question(self._connection)
