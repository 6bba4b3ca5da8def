"""Filter: repeated turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, limit
from dataset_builders.schema import Config


@dataclass(frozen=True)
class RepeatedTurns(Filter):
    """Dialogues with a turn equal to the one before, or with a system that repeats itself; pairs of equal texts.

    Case, punctuation and spacing are ignored. Such turns come from duplicated records and broken systems; as a pair
    they teach that a question is its own answer. In dialogues, two repetitions are natural and do not count: texts of
    fewer than `min_words` words ("Thank you, good bye!"), and a user who asks again ("Are there any other hotels?"),
    which makes up three of four repetitions in SGD.

    Example: system "Which city do you mean?", user "Paris.", system "Which city do you mean?" -> the repeated text.
    """

    name: ClassVar[str] = "repeated_turns"
    description: ClassVar[str] = "A turn repeats an earlier one, or the positive is the anchor again."
    configs: ClassVar[tuple[Config, ...]] = ("dialogues", "pairs")

    min_words: int = limit(6)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Rows with a repeated turn. Value: its text."""
        same = rows.texts.normal_numbers[rows.text]
        if rows.config == "pairs":
            repeats = np.flatnonzero(same[::2] == same[1::2]) * 2 + 1
        else:
            long_enough = rows.texts.normal_words[rows.text] >= self.min_words
            repeats = np.flatnonzero(long_enough & (_repeats(rows, same, 1) | rows.by_system & _repeats(rows, same, 2)))
        return {self.name: rows.at(repeats, rows.distinct, rows.text)}


def _repeats(rows: Rows, same: np.ndarray, distance: int) -> np.ndarray:
    """Occurrences equal to the one `distance` turns before; from two turns on, only by the same speaker."""
    repeats = np.zeros(len(same), bool)
    now, before = slice(distance, None), slice(None, -distance)
    repeats[now] = (same[now] == same[before]) & (rows.row[now] == rows.row[before])
    if distance > 1:
        repeats[now] &= rows.by_system[now] == rows.by_system[before]
    return repeats
