"""Answers that are nearly the same count as one, so that five results are five answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from cube_model.assistant.retrieval import View

_WORD = re.compile(r"[^\W\d_]+")
_ALIKE = 0.8
"""Jaccard similarity of their words from which two answers count as one; numbers are no words."""


@dataclass(frozen=True)
class AnswerGroup:
    """Entries with nearly the same answer.

    Attributes:
        row: The entry that is nearest to the question.
        place: Its place among the matches.
        similar: Number of the other matches in the group.
    """

    row: int
    place: int
    similar: int


def group_answers(view: View, rows: np.ndarray, k: int) -> list[AnswerGroup]:
    """Group the matches of a question.

    Args:
        view: Entries.
        rows: Matches, the nearest first; -1 where there are fewer.
        k: Largest number of groups.

    Returns:
        Groups by their nearest match, the nearest first.
    """
    rows = rows[rows >= 0]
    answers = view.table["answer"].take(rows).to_pylist()
    kept: list[tuple[int, frozenset[str]]] = []
    similar: list[int] = []
    keys: dict[int, int] = {}
    for place, (row, text) in enumerate(zip(rows.tolist(), answers, strict=True)):
        key = int(view.answers[row])
        words = frozenset(_WORD.findall(text.lower()))
        group = keys.get(key)
        if group is None:
            alike = (number for number, (_, others) in enumerate(kept) if _is_alike(words, others))
            group = next(alike, None)
        if group is None:
            group = len(kept)
            kept.append((place, words))
            similar.append(-1)
        keys[key] = group
        similar[group] += 1
    return [AnswerGroup(int(rows[place]), place, similar[number]) for number, (place, _) in enumerate(kept)][:k]


def _is_alike(words: frozenset[str], others: frozenset[str]) -> bool:
    union = len(words | others)
    return bool(words and others) and len(words & others) >= _ALIKE * union
