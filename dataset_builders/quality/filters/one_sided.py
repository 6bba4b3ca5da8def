"""Dialogues in which only one side speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings
from dataset_builders.schema import Config


@dataclass(frozen=True)
class OneSided(Filter):
    """Dialogues whose turns are all the user's or all the system's: half of the talk is lost, nothing is answered.

    Example: three user turns without a reply -> "only the user speaks, 3 turns".
    """

    name: ClassVar[str] = "one_sided"
    description: ClassVar[str] = "Only one side of the dialogue speaks."
    configs: ClassVar[tuple[Config, ...]] = ("dialogues",)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Dialogues with one speaker; value: who it is. Those without turns are `empty_dialogue`'s."""
        turns = np.bincount(rows.row, minlength=len(rows.table))
        by_system = np.bincount(rows.row, weights=rows.by_system, minlength=len(rows.table))
        found = np.flatnonzero((turns > 0) & ((by_system == 0) | (by_system == turns)))
        who = np.where(by_system[found] > 0, "system", "user")
        return {
            self.name: findings(
                found, [f"only the {w} speaks, {n} turns" for w, n in zip(who, turns[found], strict=True)]
            )
        }
