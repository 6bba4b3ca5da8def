"""Filter: answers that are unrelated to the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings, limit
from dataset_builders.schema import Config


@dataclass(frozen=True)
class Relatedness(Filter):
    """Pairs whose anchor and positive have a cosine below `min_cosine` under a sentence encoder; none without one.

    A good answer is often far from its question. For 2,112 pairs of consecutive turns in public task corpora and
    all-MiniLM-L6-v2, the median cosine is .32; 1 % are below 0 ("Do you have something else?" -> "What do you think of
    Toy Story 4?"), 0.14 % below -0.05 and none below -0.07. So only clearly negative cosines are suspicious. The limit
    depends on the encoder: look at `quality.relatedness` before you raise it.

    Example: "Is there a pool?" -> "Seven, on platform two." with cosine -0.11 gives "-0.110".
    """

    name: ClassVar[str] = "relatedness"
    description: ClassVar[str] = "The answer is unrelated to the question, by the encoder's cosine."
    configs: ClassVar[tuple[Config, ...]] = ("pairs",)

    min_cosine: float = limit(-0.05, low=-1, high=1)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Pairs below the limit. Value: the cosine."""
        if rows.cosines is None:
            return {}
        numbers = np.flatnonzero(rows.cosines < self.min_cosine)
        return {self.name: findings(numbers, [f"{cosine:.3f}" for cosine in rows.cosines[numbers].tolist()])}
