"""Pairs with a side of too few words: the rule that says what a pair is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Action, Filter, Rows, findings, limit
from dataset_builders.schema import Config


@dataclass(frozen=True)
class PairLength(Filter):
    """Pairs with a side of at most `min_words` words (separated by white space): "Yes." -> "OK." teaches nothing.

    Three is the rule of the first dialogue data platform. It defines a pair, so it holds in the test split and in every
    preset; 0 keeps all (a user's own short answers are meant).

    Example: "Yes, please." -> "Your table is booked." gives "2 words: Yes, please."
    """

    name: ClassVar[str] = "pair_length"
    description: ClassVar[str] = "A side of the pair has too few words."
    configs: ClassVar[tuple[Config, ...]] = ("pairs",)
    defines_rows: ClassVar[bool] = True

    action: Action = "drop"
    min_words: int = limit(3)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Pairs with a short side; value: the words of the first such side."""
        words = rows.words
        short = np.flatnonzero(words <= self.min_words)
        texts = rows.distinct.take(short)
        values = pc.binary_join_element_wise(pc.cast(words[short], "string"), texts, " words: ")
        return {self.name: rows.with_text(findings(short, values))}
