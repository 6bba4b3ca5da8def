"""Ridge regression from the turns of a question to its answer's vector, in closed form."""

from __future__ import annotations

import time

import numpy as np

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.methods import Method

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_CHUNK = 4096


class Ridge(Baseline):
    """y = x W with W [turns d, d]; W is drawn to zero or to the identity, by whichever penalty validates best.

    W = W0 + (X'X + l I)^-1 X'(Y - X W0). Drawn to the identity a strong penalty gives SIM.
    """

    name = "ridge"
    seeded = False

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; penalty and target are chosen here, as all share one decomposition."""
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
        assert best is not None  # both targets and all penalties were tried
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
