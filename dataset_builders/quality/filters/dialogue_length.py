"""Filter: dialogues with too few or too many turns."""

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
    """Dialogues with fewer than `min_turns` or more than `max_turns` turns.

    One turn makes no pair. The longest dialogue of the nine task corpora has 50 turns; hundreds of turns mean a chat
    log that was not split into dialogues.

    Example: a dialogue of a single "Hello?" -> "1 turns".
    """

    name: ClassVar[str] = "dialogue_length"
    description: ClassVar[str] = "A dialogue has too few or too many turns."
    configs: ClassVar[tuple[Config, ...]] = ("dialogues",)

    min_turns: int = limit(2)
    max_turns: int = limit(200, low=1)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Dialogues out of range. Value: the number of turns. `empty_dialogue` finds those without turns."""
        turns = pc.list_value_length(rows.table["turns"]).to_numpy()
        numbers = np.flatnonzero((turns > 0) & ((turns < self.min_turns) | (turns > self.max_turns)))
        return {self.name: findings(numbers, [f"{n} turns" for n in turns[numbers]])}
