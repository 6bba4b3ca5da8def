"""Calibrated probabilities and thresholds from held-out rows.

A single temperature divides all logits (Guo et al. 2017, arXiv:1706.04599). It is fitted on rows that the model did not
see, since on its own training rows every model of few labels is sure.
"""

from __future__ import annotations

import numpy as np

_STEPS = 60
_LOW, _HIGH = 1e-3, 1e3
_BINS = 15
"""Number of bins of the expected calibration error, as in Guo et al. 2017."""


def probabilities(logits: np.ndarray, temperature: float, *, single: bool) -> np.ndarray:
    """Compute probabilities, float64 `[n, k]`, by a softmax (`single`) or a sigmoid for each label.

    Args:
        logits: float `[n, k]`.
        temperature: Number by which the logits are divided.
        single: Whether a row has one label.
    """
    scaled = logits.astype(np.float64) / temperature
    if single:
        exponents = np.exp(scaled - scaled.max(1, keepdims=True))
        return np.asarray(exponents / exponents.sum(1, keepdims=True))
    return np.asarray(1 / (1 + np.exp(-np.clip(scaled, -500, 500))))


def log_loss(logits: np.ndarray, targets: np.ndarray, temperature: float, *, single: bool) -> float:
    """Compute the mean negative log-likelihood of rows.

    Args:
        logits: float `[n, k]`.
        targets: bool `[n, k]`.
        temperature: See `probabilities`.
        single: Whether a row has one label.
    """
    values = probabilities(logits, temperature, single=single).clip(1e-12, 1 - 1e-12)
    if single:
        return float(-np.log(values[targets]).mean())
    return float(-np.where(targets, np.log(values), np.log1p(-values)).sum(1).mean())


def fit_temperature(logits: np.ndarray, targets: np.ndarray, *, single: bool) -> float:
    """Find the temperature of the least negative log-likelihood, which is convex in its inverse, by golden sections.

    The rows count as if a further one had been wrong (as Platt, 1999, smooths targets): else, the temperature of rows
    that are all right would be 0, and every probability 1.
    """
    ratio = (5**0.5 - 1) / 2
    low, high = np.log(_LOW), np.log(_HIGH)
    logits = logits.astype(np.float64)
    wanted = _smoothed(logits, targets, single=single)

    def loss(place: float) -> float:
        scaled = logits / np.exp(place)
        if single:
            return float((wanted * (np.logaddexp.reduce(scaled, axis=1, keepdims=True) - scaled)).sum(1).mean())
        return float((np.logaddexp(0, scaled) - wanted * scaled).sum(1).mean())

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if high - low < 1e-3:
            break
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def _smoothed(logits: np.ndarray, targets: np.ndarray, *, single: bool) -> np.ndarray:
    """The probabilities that rows should have, float64 `[n, k]`; with one label a row, the rest is the runner-up's."""
    if not single:
        right, wrong = targets.sum(), (~targets).sum()
        return np.where(targets, (right + 1) / (right + 2), 1 / (wrong + 2))
    rest = 1 / (len(targets) + 2)
    result = targets * (1 - rest)
    result[np.arange(len(targets)), np.where(targets, -np.inf, logits).argmax(1)] += rest
    return result


def calibration_error(confidences: np.ndarray, hits: np.ndarray) -> float:
    """Compute the expected calibration error: the mean distance of accuracy and confidence over bins of equal width.

    Args:
        confidences: Probability of the prediction, float `[n]`.
        hits: Whether it is right, bool `[n]`.
    """
    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    total = np.bincount(bins, minlength=_BINS)
    gaps = np.bincount(bins, hits, _BINS) - np.bincount(bins, confidences, _BINS)
    return float(np.abs(gaps).sum() / total.sum())


def scope_threshold(inside: np.ndarray, outside: np.ndarray | None, accepted: float) -> float:
    """Choose the in-scope score below which an utterance is out of scope.

    Args:
        inside: Scores of held-out rows in scope, float `[n]`.
        outside: Scores of rows out of scope, float `[m]`; None without such rows.
        accepted: Share of the rows in scope to accept. With rows out of scope, the threshold is the one with the best
            mean of the shares of both kinds that are judged rightly.
    """
    if outside is None or not len(outside):
        return float(np.quantile(inside, 1 - accepted))
    every = np.unique(np.concatenate([inside, outside]))
    cuts = np.concatenate([[every[0] - 1], (every[1:] + every[:-1]) / 2])
    kept = 1 - np.searchsorted(np.sort(inside), cuts) / len(inside)
    refused = np.searchsorted(np.sort(outside), cuts) / len(outside)
    return float(cuts[np.argmax(kept + refused)])


def label_threshold(values: np.ndarray, targets: np.ndarray) -> float:
    """Choose the probability from which a label applies, by the micro F1 of held-out rows.

    Args:
        values: Probabilities, float `[n, k]`.
        targets: bool `[n, k]`.
    """
    order = np.argsort(-values, axis=None, kind="stable")
    hits = np.cumsum(targets.ravel()[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + targets.sum())
    best = int(np.argmax(f1))
    ranked = values.ravel()[order]
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)
