"""What the Explorer looks for, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataset_builders.dashboard.filters import Filters

SHOWN = 200
"""Rows found that are shown; the number of all is told, and the file holds them."""


@dataclass(frozen=True)
class Query:
    """SQL with its parameters."""

    sql: str
    parameters: tuple[Any, ...]

    @property
    def count(self) -> str:
        """The number of rows it gives."""
        return f"SELECT count(*) FROM ({self.sql})"

    @property
    def first(self) -> str:
        """Those that are shown."""
        return f"{self.sql} LIMIT {SHOWN}"


def dialogues(
    filters: Filters,
    text: str = "",
    domains: tuple[str, ...] = (),
    intents: tuple[str, ...] = (),
    turns: tuple[int, int] | None = None,
) -> Query:
    """Dialogues that say a text and are about something.

    Args:
        filters: Of the whole page.
        text: Part of the dialogue, whatever its case; all dialogues when empty.
        domains: About any of these.
        intents: With any of these in a state.
        turns: Least and most turns.
    """
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    if text.strip():
        conditions.append(("contains(lower(dialog_text), lower(?))", (text.strip(),)))
    if domains:
        conditions.append((f"list_has_any(domains, [{', '.join('?' * len(domains))}])", domains))
    if intents:
        conditions.append((f"list_has_any(intents, [{', '.join('?' * len(intents))}])", intents))
    if turns is not None:
        conditions.append(("turn_count BETWEEN ? AND ?", turns))
    return _query(
        "SELECT dialogue_id, source, split, language, turn_count, array_to_string(domains, ', ') AS domains, "
        "left(dialog_text, 200) AS text FROM dialogs",
        "dialogue_id",
        filters,
        conditions,
    )


def utterances(
    filters: Filters, text: str = "", labels: tuple[str, ...] = (), words: tuple[int, int] | None = None
) -> Query:
    """Labelled utterances.

    Args:
        filters: Of the whole page.
        text: Part of the utterance, whatever its case.
        labels: With any of these.
        words: Least and most words.
    """
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    if text.strip():
        conditions.append(("contains(lower(utterance), lower(?))", (text.strip(),)))
    if labels:
        conditions.append((f"label IN ({', '.join('?' * len(labels))})", labels))
    if words is not None:
        conditions.append(("words BETWEEN ? AND ?", words))
    return _query(
        "SELECT utterance, label, scenario, source, split, language, words, utterance_id FROM downstream",
        "utterance_id",
        filters,
        conditions,
    )


def _query(select: str, order: str, filters: Filters, conditions: list[tuple[str, tuple[Any, ...]]]) -> Query:
    where, chosen = filters.where(("source", "split", "language"), *(condition for condition, _ in conditions))
    values = (value for _, given in conditions for value in given)
    return Query(f"{select} {where} ORDER BY {order}", (*chosen, *values))
