"""The texts of the turns of a batch, which the filters of dialogues and of pairs judge only once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from dataset_builders.corpus.batch import Batch
from dataset_builders.quality.filters.base import Spoken, Texts
from dataset_builders.text.ragged import Ragged


@dataclass(frozen=True)
class TurnTexts:
    """The texts of the turns of some dialogues of a shard.

    Attributes:
        texts: Distinct texts.
        turns: Index in `texts.distinct` of each utterance of the shard; of other dialogues, any. Its rows are the
            dialogues of the shard.
    """

    texts: Texts
    turns: Ragged

    @classmethod
    def of(cls, batch: Batch, starts: np.ndarray) -> TurnTexts:
        """The texts of some dialogues.

        Args:
            batch: The dialogues.
            starts: Bounds of the utterances of each dialogue of the shard, shape (dialogues + 1,).
        """
        spoken = Texts.of(pc.struct_field(pc.list_flatten(batch.table["turns"]), "text"))
        codes = np.zeros(starts[-1], np.int64)
        codes[Ragged(np.arange(len(codes)), starts).gather(batch.number)[0]] = spoken.codes
        return cls(spoken.texts, Ragged(codes, starts))

    def of_dialogues(self, numbers: np.ndarray) -> Spoken:
        """The turns of the dialogues of these numbers in the shard."""
        return Spoken(self.texts, self.turns.gather(numbers)[0])

    def of_pairs(self, numbers: np.ndarray) -> Spoken:
        """Anchor and positive of the pairs with these numbers, those of their anchors among the utterances."""
        codes = self.turns.values
        return Spoken(self.texts, np.stack([codes[numbers], codes[numbers + 1]], axis=1).ravel())
