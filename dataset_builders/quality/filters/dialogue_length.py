"""Dialogues with too few or too many turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings, limit
from dataset_builders.schema import Config


@dataclass(frozen=True)
class DialogueLength(Filter):
    """Dialogues of fewer than `min_turns` or more than `max_turns` turns.

    One turn makes no pair. The longest dialogue of the nine task corpora has 50 turns; hundreds are a chat log that was
    never cut into conversations.

    Example: a dialogue of a single "Hello?" -> "1 turns".
    """

    name: ClassVar[str] = "dialogue_length"
    description: ClassVar[str] = "A dialogue has too few or too many turns."
    configs: ClassVar[tuple[Config, ...]] = ("dialogues",)

    min_turns: int = limit(2)
    max_turns: int = limit(200, low=1)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Dialogues out of the range; value: the number of turns. Those without turns are `empty_dialogue`'s."""
        turns = pc.list_value_length(rows.table["turns"]).to_numpy()
        found = np.flatnonzero((turns > 0) & ((turns < self.min_turns) | (turns > self.max_turns)))
        return {self.name: findings(found, [f"{n} turns" for n in turns[found]])}
