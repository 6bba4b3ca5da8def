"""The searches of the tab Explorer, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataset_builders.dashboard.filters import Filters
from dataset_builders.dashboard.search.full_text import pattern_of

SHOWN = 200
"""Maximum number of results to show; the download has all of them."""


@dataclass(frozen=True)
class Query:
    """A search: SQL and its parameters."""

    sql: str
    parameters: tuple[Any, ...]

    @property
    def count(self) -> str:
        """SQL for the number of results."""
        return f"SELECT count(*) FROM ({self.sql})"

    @property
    def first(self) -> str:
        """SQL for the results to show."""
        return f"{self.sql} LIMIT {SHOWN}"


def dialogues(
    filters: Filters,
    text: str = "",
    domains: tuple[str, ...] = (),
    intents: tuple[str, ...] = (),
    turns: tuple[int, int] | None = None,
) -> Query:
    """Search dialogues.

    Args:
        filters: Filters of the page.
        text: Part of the dialogue's text, ignoring case; empty for all.
        domains: Match dialogues in any of these domains.
        intents: Match dialogues with any of these intents in a state.
        turns: Minimum and maximum number of turns.
    """
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    if text.strip():
        conditions.append(("regexp_matches(dialog_text, ?)", (pattern_of(text),)))
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
    """Search labelled utterances.

    Args:
        filters: Filters of the page.
        text: Part of the utterance, ignoring case; empty for all.
        labels: Match utterances with any of these labels.
        words: Minimum and maximum number of words.
    """
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    if text.strip():
        conditions.append(("regexp_matches(utterance, ?)", (pattern_of(text),)))
    if labels:
        conditions.append((f"list_has_any(coalesce(labels, [label]), [{', '.join('?' * len(labels))}])", labels))
    if words is not None:
        conditions.append(("words BETWEEN ? AND ?", words))
    return _query(
        "SELECT utterance, label, scenario, source, split, language, words, utterance_id FROM downstream",
        "utterance_id",
        filters,
        conditions,
    )


def _query(select: str, order: str, filters: Filters, conditions: list[tuple[str, tuple[Any, ...]]]) -> Query:
    where, filter_values = filters.where(("source", "split", "language"), *(condition for condition, _ in conditions))
    values = (value for _, parameters in conditions for value in parameters)
    return Query(f"{select} {where} ORDER BY {order}", (*filter_values, *values))
