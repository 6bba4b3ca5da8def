"""Baselines in closed form: SIM, ridge regression and orthogonal Procrustes."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.methods import Method, identity

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_CHUNK = 4096


class Identity(Baseline):
    """SIM: no training. The search selects the number of turns to average.

    Args:
        turns: Maximum number of turns, including the question.
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


class Ridge(Baseline):
    """y = x W, with W of shape [turns d, d] shrunk towards zero or the identity, whichever validates better.

    W = W0 + (X'X + l I)^-1 X'(Y - X W0). Shrunk towards the identity, a strong penalty l gives SIM.
    """

    name = "ridge"
    seeded = False

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; selects penalty and target itself, as all candidates share one decomposition."""
        started = time.monotonic()
        d, width = train.dimension, train.dimension * train.turns
        gram, cross = np.zeros((width, width)), np.zeros((width, d))
        for start in range(0, len(train), _CHUNK):
            rows = slice(start, start + _CHUNK)
            x = train.questions(rows).reshape(-1, width)
            gram += x.T @ x
            cross += x.T @ train.answers(rows)
        values, basis = np.linalg.eigh(gram)
        best: Fitted | None = None
        for target in ("identity", "zero"):
            towards = np.eye(width, d) if target == "identity" else np.zeros((width, d))
            rotated = basis.T @ (cross - gram @ towards)
            for penalty in PENALTIES:
                weight = towards + basis @ (rotated / (np.maximum(values, 0) + penalty)[:, None])
                method = _method(self.name, weight.astype(np.float32), train.turns, len(train))
                accuracy = validation.accuracy(method, seed)
                if best is None or accuracy > best.accuracy:
                    best = Fitted(method, {"penalty": penalty, "towards": target}, accuracy)
        assert best is not None  # the loops above ran
        best.seconds = time.monotonic() - started
        return best


def _method(name: str, weight: np.ndarray, turns: int, train_size: int) -> Method:
    return Method(
        name,
        lambda questions: questions.reshape(len(questions), -1) @ weight,
        lambda answers: answers,
        parameters=weight.size,
        turns=turns,
        train_size=train_size,
    )


class Procrustes(Baseline):
    """Rotation R = U V' from the singular value decomposition of X'Y, with d^2 parameters; ignores context turns."""

    name = "procrustes"
    seeded = False

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; has no settings."""
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
