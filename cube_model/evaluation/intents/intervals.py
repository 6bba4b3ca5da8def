"""95 % intervals of intent figures: over draws of the training utterances, languages, or bootstrapped test rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cube_model.metrics.metrics import BOOTSTRAP_SAMPLES

Interval = tuple[float, float]

_OUTER = [2.5, 97.5]


def interval_of_mean(values: Sequence[float]) -> Interval | None:
    """Student's interval of the mean of independent values; None of fewer than two.

    Over draws it says how much the choice of the training utterances matters, not how much the test set does.
    """
    if len(values) < 2:
        return None
    from scipy.stats import t

    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    half = float(t.ppf(0.975, len(values) - 1) * error)
    return float(mean) - half, float(mean) + half


def classification_intervals(references: np.ndarray, predictions: np.ndarray, *, seed: int = 0) -> dict[str, Interval]:
    """Percentile intervals of accuracy and macro-F1 when the n test rows are drawn again with replacement.

    Both depend on the confusion matrix alone, so that its cells are drawn in place of rows.

    Args:
        references: int `[n]`, true classes.
        predictions: int `[n]`, predicted ones.
        seed: Of the samples.
    """
    classes, numbers = np.unique(np.concatenate([references, predictions]), return_inverse=True)
    true, guessed = numbers[: len(references)], numbers[len(references) :]
    cells, counts = np.unique(true * len(classes) + guessed, return_counts=True)
    rows, columns = np.divmod(cells, len(classes))
    drawn = np.random.default_rng(seed).multinomial(len(true), counts / len(true), size=BOOTSTRAP_SAMPLES)
    support, guesses, hits = (np.zeros((BOOTSTRAP_SAMPLES, len(classes))) for _ in range(3))
    for cell, (row, column) in enumerate(zip(rows, columns, strict=True)):
        support[:, row] += drawn[:, cell]
        guesses[:, column] += drawn[:, cell]
        if row == column:
            hits[:, row] += drawn[:, cell]
    total = support + guesses
    f1 = 2 * hits / np.maximum(total, 1)
    samples = {"accuracy": hits.sum(1) / len(true), "macro_f1": f1.sum(1) / (total > 0).sum(1)}
    return {name: _ends(values) for name, values in samples.items()}


def scope_interval(
    metric: Callable[[np.ndarray, np.ndarray], float], references: np.ndarray, scores: np.ndarray, *, seed: int = 0
) -> Interval:
    """Percentile interval of an out-of-scope metric; in-scope and out-of-scope rows are drawn again, each by itself.

    Args:
        metric: A function of `OUT_OF_SCOPE`.
        references: int `[n]`, 1 in scope.
        scores: float `[n]`.
        seed: Of the samples.
    """
    generator = np.random.default_rng(seed)
    groups = [np.flatnonzero(references == kind) for kind in (0, 1)]
    samples = []
    for _ in range(BOOTSTRAP_SAMPLES):
        rows = np.concatenate([generator.choice(group, len(group)) for group in groups])
        samples.append(metric(references[rows], scores[rows]))
    return _ends(np.array(samples))


def _ends(samples: np.ndarray) -> Interval:
    low, high = np.percentile(samples, _OUTER)
    return float(low), float(high)
