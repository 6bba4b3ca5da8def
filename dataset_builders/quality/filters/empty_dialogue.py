"""Filter: dialogues without any text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Action, Filter, Rows, findings
from dataset_builders.schema import Config


@dataclass(frozen=True)
class EmptyDialogue(Filter):
    """Dialogues without any text: each turn of the raw record is empty.

    They are useless, so the test split loses them too.

    Example: a recording that broke off before the first word -> "3 empty turns".
    """

    name: ClassVar[str] = "empty_dialogue"
    description: ClassVar[str] = "A dialogue has no turn with a text."
    configs: ClassVar[tuple[Config, ...]] = ("dialogues",)
    defines_rows: ClassVar[bool] = True
    is_overruled: ClassVar[bool] = False

    action: Action = "drop"

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Dialogues without turns. Value: the number of empty turns in the raw record."""
        numbers = np.flatnonzero(pc.list_value_length(rows.table["turns"]).to_numpy() == 0)
        empty = rows.table["empty_turns"].to_numpy()[numbers]
        return {self.name: findings(numbers, [f"{n} empty turns" for n in empty])}
