"""Filter: texts that are too long for one utterance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import TextFilter, findings, limit
from dataset_builders.text.words import word_counts


@dataclass(frozen=True)
class UtteranceLength(TextFilter):
    """Texts with more than `max_words` words or `max_characters` characters: pasted documents, lists, log files.

    Sentence encoders truncate long texts: all-MiniLM-L6-v2 reads 256 word pieces, about 200 English words (its model
    card). The longest utterance of the public task corpora has 101 words. The limit of 2,000 characters is for texts
    without blanks, such as encoded files. See `text.words` for scripts that have none.

    Example: a pasted contract of 900 words -> "900 words".
    """

    name: ClassVar[str] = "utterance_length"
    description: ClassVar[str] = "A text is longer than an utterance should be."

    max_words: int = limit(200, low=1)
    max_characters: int = limit(2000, low=1)

    def hits(self, texts: pa.Array) -> Findings:
        """The texts that are too long. Value: their length in words or characters."""
        characters = pc.utf8_length(texts).to_numpy()
        suspects = np.flatnonzero(characters > min(self.max_words, self.max_characters))  # a word has a character
        words, characters = word_counts(texts.take(pa.array(suspects))), characters[suspects]
        too_long = (words > self.max_words) | (characters > self.max_characters)
        values = [
            f"{w} words" if w > self.max_words else f"{c} characters"
            for w, c in zip(words[too_long], characters[too_long], strict=True)
        ]
        return findings(suspects[too_long], values)
