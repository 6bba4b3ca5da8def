"""The rotation that brings questions nearest to their answers (orthogonal Procrustes, Schönemann 1966)."""

from __future__ import annotations

import time

import numpy as np

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.methods import Method


class Procrustes(Baseline):
    """R = U V' of the singular value decomposition of X'Y; d^2 numbers. Earlier turns are not read."""

    name = "procrustes"
    seeded = False

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; there is nothing to choose."""
        started = time.monotonic()
        left, _, right = np.linalg.svd(train.questions(slice(None), 1)[:, 0].T @ train.answers())
        rotation = left @ right
        method = Method(
            self.name,
            lambda questions: questions[:, 0] @ rotation,
            lambda answers: answers,
            parameters=rotation.size,
            train_size=len(train),
        )
        return Fitted(method, {}, validation.accuracy(method, seed), time.monotonic() - started)
