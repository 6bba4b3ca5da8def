"""Filter: dialogues with one speaker only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings
from dataset_builders.schema import Config


@dataclass(frozen=True)
class OneSided(Filter):
    """Dialogues whose turns are all the user's or all the system's: half of the dialogue is missing.

    Example: three user turns without a reply -> "only the user speaks, 3 turns".
    """

    name: ClassVar[str] = "one_sided"
    description: ClassVar[str] = "Only one side of the dialogue speaks."
    configs: ClassVar[tuple[Config, ...]] = ("dialogues",)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Dialogues with one speaker. Value: the speaker. `empty_dialogue` finds those without turns."""
        turns = np.bincount(rows.row, minlength=len(rows.table))
        by_system = np.bincount(rows.row, weights=rows.by_system, minlength=len(rows.table))
        numbers = np.flatnonzero((turns > 0) & ((by_system == 0) | (by_system == turns)))
        speakers = np.where(by_system[numbers] > 0, "system", "user")
        values = [f"only the {s} speaks, {n} turns" for s, n in zip(speakers, turns[numbers], strict=True)]
        return {self.name: findings(numbers, values)}
