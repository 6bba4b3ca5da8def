"""Logits of labels: a logistic regression, plus the cosine to the nearest example of each label.

Of few examples, the regression learns what labels have in common, while the nearest example tells apart what it has
smoothed over; together they are better than either (`tests/benchmarks/bench_intents.py`). Examples also give a label
that is added later something to compare its own with, so that the others need not be trained again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cube_model.intents.linear import Linear, fit_linear, fit_row
from cube_model.metrics.metrics import normalize

EXAMPLES = 32
"""Largest number of examples of a label that are kept."""

_BLOCK = 512


@dataclass(frozen=True)
class Settings:
    """Settings of a scorer, chosen by cross-validation.

    Attributes:
        strength: See `fit_linear`.
        neighbours: Weight of the cosine to the nearest example; 0: it is left out.
        names: Whether the vectors of the labels' names count as examples.
    """

    strength: float
    neighbours: float
    names: bool


@dataclass(frozen=True)
class Scorer:
    """Scores of k labels.

    Attributes:
        linear: The logistic regression.
        examples: At most `EXAMPLES` vectors of each label, of norm 1, label by label, float32 `[e, d]`.
        starts: Number of the first example of each label, int64 `[k]`.
        settings: Settings.
    """

    linear: Linear
    examples: np.ndarray
    starts: np.ndarray
    settings: Settings

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Compute the logits of n vectors of norm 1, float32 `[n, k]`."""
        return self.logits_and_nearest(vectors)[0]

    def logits_and_nearest(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the logits, float32 `[n, k]`, and the cosine to the nearest example of any label, float32 `[n]`."""
        nearest = self.nearest(vectors)
        return self.combined(self.linear.logits(vectors), nearest, self.settings.neighbours), nearest.max(1)

    @staticmethod
    def combined(linear: np.ndarray, nearest: np.ndarray, weight: float) -> np.ndarray:
        """Add the cosines to the nearest examples, with a weight, to the logits of the regression."""
        return np.asarray(linear + np.float32(weight) * nearest, dtype=np.float32)

    def nearest(self, vectors: np.ndarray) -> np.ndarray:
        """Compute the cosine to the nearest example of each label, float32 `[n, k]`."""
        result = np.empty((len(vectors), len(self.starts)), dtype=np.float32)
        for start in range(0, len(vectors), _BLOCK):
            cosines = vectors[start : start + _BLOCK] @ self.examples.T
            result[start : start + _BLOCK] = np.maximum.reduceat(cosines, self.starts, axis=1)
        return result

    def with_label(self, vectors: np.ndarray, *, single: bool, seed: int) -> Scorer:
        """Return a scorer with one more label; the logits of the others are the same.

        Args:
            vectors: Examples of the new label, of norm 1, float32 `[n, d]`.
            single: Whether a row has one label.
            seed: Seed of the choice of the examples that are kept.
        """
        owners = np.repeat(np.arange(len(self.starts)), np.diff(np.append(self.starts, len(self.examples))))
        logits = self.linear.logits(np.concatenate([self.examples, vectors]))
        weights, bias = fit_row(logits, self.examples, owners, vectors, self.settings.strength, single=single)
        linear = Linear(
            np.concatenate([self.linear.weights, weights[None]]),
            np.append(self.linear.bias, np.float32(bias)).astype(np.float32),
        )
        rows = _kept(np.arange(len(vectors)), np.random.default_rng(seed))
        starts = np.append(self.starts, len(self.examples))
        return Scorer(linear, np.concatenate([self.examples, vectors[rows]]), starts, self.settings)


def fit_scorer(
    vectors: np.ndarray,
    targets: np.ndarray,
    names: np.ndarray | None,
    settings: Settings,
    *,
    single: bool,
    seed: int,
    is_precise: bool = True,
) -> Scorer:
    """Fit a scorer.

    Args:
        vectors: Training vectors of norm 1, float32 `[n, d]`.
        targets: bool `[n, k]`; each label has a row.
        names: Vectors of the labels' names, of norm 1, float32 `[k, d]`; None: there are none.
        settings: Settings.
        single: Whether a row has one label.
        seed: Seed of the choice of the examples that are kept.
        is_precise: See `fit_linear`.
    """
    if settings.names and names is not None:
        vectors = np.concatenate([vectors, names])
        targets = np.concatenate([targets, np.eye(len(names), dtype=bool)])
    linear = fit_linear(vectors, targets, settings.strength, single=single, is_precise=is_precise)
    rng = np.random.default_rng(seed)
    kept = [_kept(np.flatnonzero(column), rng) for column in targets.T]
    starts = np.cumsum([0, *map(len, kept[:-1])]).astype(np.int64)
    return Scorer(linear, vectors[np.concatenate(kept)], starts, settings)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to norm 1, float32 `[n, d]`."""
    return np.asarray(normalize(np.asarray(vectors, dtype=np.float32)), dtype=np.float32)


def _kept(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= EXAMPLES else np.sort(rng.choice(rows, EXAMPLES, replace=False))
