"""Texts too long for one utterance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import TextFilter, findings, limit, word_counts


@dataclass(frozen=True)
class UtteranceLength(TextFilter):
    """Texts of more than `max_words` words or `max_characters` characters: pasted documents, lists, log files.

    Sentence encoders cut what is longer: all-MiniLM-L6-v2 reads 256 word pieces, some 200 English words (its model
    card). The longest utterance of the public task corpora has 101 words; 2,000 characters are for scripts without
    blanks.

    Example: a pasted contract of 900 words -> "900 words".
    """

    name: ClassVar[str] = "utterance_length"
    description: ClassVar[str] = "A text is longer than an utterance should be."

    max_words: int = limit(200, low=1)
    max_characters: int = limit(2000, low=1)

    def hits(self, texts: pa.Array) -> Findings:
        """The texts that are too long; value: the measured length."""
        characters = pc.utf8_length(texts).to_numpy()
        could_be = np.flatnonzero(characters > min(self.max_words, self.max_characters))  # a word takes a character
        words = word_counts(texts.take(pa.array(could_be)))
        too_long = (words > self.max_words) | (characters[could_be] > self.max_characters)
        return findings(
            could_be[too_long],
            [
                f"{w} words" if w > self.max_words else f"{c} characters"
                for w, c in zip(words[too_long], characters[could_be][too_long], strict=True)
            ],
        )
