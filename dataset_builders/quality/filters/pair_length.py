"""Filter: pairs whose anchor or positive has too few words."""

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
    """Pairs whose anchor or positive has at most `min_words` words: "Yes." -> "OK." teaches nothing.

    White space separates words; in Chinese, Japanese and other scripts without blanks, the number of characters gives
    the number of words (`text.words`). The default of 3 is the rule of the first dialogue data platform. The filter
    defines what a pair is, so it drops in the test split and in every preset. 0 keeps all pairs, as for a user's own
    data.

    Example: "Yes, please." -> "Your table is booked." gives "2 words: Yes, please."
    """

    name: ClassVar[str] = "pair_length"
    description: ClassVar[str] = "A side of the pair has too few words."
    configs: ClassVar[tuple[Config, ...]] = ("pairs",)
    defines_rows: ClassVar[bool] = True

    action: Action = "drop"
    min_words: int = limit(3)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Pairs with a short text. Value: number of words and text of the first one."""
        words = rows.texts.words
        short = np.flatnonzero(words <= self.min_words)
        texts = rows.distinct.take(short)
        values = pc.binary_join_element_wise(pc.cast(words[short], "string"), texts, " words: ")
        return {self.name: rows.with_text(findings(short, values))}
