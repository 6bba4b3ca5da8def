"""SIM: the cosine of the teacher's vectors as they are."""

from __future__ import annotations

import dataclasses

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.methods import identity


class Identity(Baseline):
    """Nothing is trained. Tuned: turns of the question that are averaged.

    Args:
        turns: Turns of a question at most.
    """

    name = "sim"
    learns = False

    def __init__(self, turns: int) -> None:
        self.grid = tuple({"turns": t} for t in range(1, turns + 1))

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`."""
        settings = dict(settings or self.grid[0])
        method = dataclasses.replace(identity(settings["turns"]), name=self.name)
        return Fitted(method, settings, validation.accuracy(method, seed))
