"""SQL that a visitor types: read-only, one query at a time, with limits on rows and time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from dataset_builders.common.errors import DataError
from dataset_builders.database import ask, open_any
from dataset_builders.sql.run import is_interrupt

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from dataset_builders.dashboard.store import Store

SHOWN = 1_000
"""Maximum number of rows that the page shows."""

DOWNLOADED = 100_000
"""Maximum number of rows in a download."""

SECONDS = 20.0
"""Time after which a query is stopped."""

EXAMPLES = {
    "statistics": "FROM dialogue_statistics",
    "wrong_language": """SELECT source, language, anchor, positive
FROM pairs
WHERE list_contains(flags, 'wrong_language')""",
    "drops": """SELECT "filter", config, source, count(*) AS rows
FROM drops
GROUP BY ALL
ORDER BY rows DESC""",
    "answers": """SELECT any_value(positive ORDER BY pair_id) AS answer, count(*) AS pairs
FROM pairs
GROUP BY answer_id
ORDER BY pairs DESC""",
    "slots": """SELECT slot.domain, slot.slot, slot.value, count(*) AS turns
FROM (SELECT unnest(annotations.slots) AS slot FROM turns)
GROUP BY ALL
ORDER BY turns DESC""",
    "turns": """SELECT source, quantile_cont(turn_count, [0.1, 0.5, 0.9]) AS turns
FROM dialogs
GROUP BY source
ORDER BY source""",
    "columns": "DESCRIBE pairs",
}
"""Saved queries by name; their titles are texts of the page."""

_COMMAND = re.compile("`dialogue-cube|--allow-files|standard input")
"""What only the hints of the command line have."""


def answer(store: Store, text: str, most: int) -> tuple[pd.DataFrame, bool]:
    """Run one statement that returns rows; it can neither write nor open files, nor change settings.

    Args:
        store: The database, which the page has opened.
        text: SQL in DuckDB's dialect.
        most: Maximum number of rows.

    Returns:
        The rows, and whether there are more than `most`.

    Raises:
        DataError: The statement is wrong, writes, or takes too long.
    """
    try:
        return _typed(store.only(None)).answer(text, most)
    except DataError as error:
        hints = [part for part in str(error).split("; ") if not _COMMAND.search(part)]
        raise DataError("; ".join(hints)) from error


class _Typed:
    """A connection for typed queries. It stays open: closing the file would release the lock of the page's own one."""

    def __init__(self, path: str) -> None:
        self._lock, self._opened = Lock(), ExitStack()
        self._connection = self._opened.enter_context(open_any(path, is_open=True))

    def answer(self, text: str, most: int) -> tuple[pd.DataFrame, bool]:
        with self._lock, _limited(self._connection):
            try:
                rows = ask(self._connection, text)
                fetched = list(islice(rows, most + 1))
            except Exception as error:
                if is_interrupt(error):
                    raise DataError(f"stopped after {SECONDS:g} seconds; ask for less, as with LIMIT") from None
                raise
        columns = {
            name: [_shown(row[place]) for row in fetched[:most]] for place, name in enumerate(_unique(rows.columns))
        }
        return pd.DataFrame(columns), len(fetched) > most

    def close(self) -> None:
        self._opened.close()


@st.cache_resource(max_entries=1, show_spinner=False, on_release=_Typed.close)
def _typed(store: Store) -> _Typed:
    store.value("SELECT 1")  # opens the file
    return _Typed(store.path)


@contextmanager
def _limited(connection: DuckDBPyConnection) -> Iterator[None]:
    """Interrupt the connection if the block takes too long."""
    done = Event()

    def stop() -> None:
        wait = SECONDS
        while not done.wait(wait):  # again and again, since DuckDB ignores an interrupt before a query begins
            connection.interrupt()
            wait = 0.1

    Thread(target=stop, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _unique(names: list[str]) -> list[str]:
    """The names of the columns, with a number where one occurs again."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _shown(value: Any) -> Any:
    """A value that a table can show: numbers, texts and truth values; everything else as text."""
    if value is None or isinstance(value, bool | float | str):
        return value
    return value if isinstance(value, int) and abs(value) < 2**53 else str(value)
