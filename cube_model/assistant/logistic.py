"""Logistic regression with a penalty, fitted by Newton's method: small, exact and the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Logistic:
    """Probability of an event by d features.

    Attributes:
        mean, scale: float64 `[d]`: what makes the features comparable.
        weights: float64 `[d]`.
        bias: Log-odds at the mean of the features.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        labels: np.ndarray,
        sample: np.ndarray,
        prior: Logistic | None = None,
        penalty: float = 1.0,
    ) -> Logistic:
        """Fit to n examples by iteratively reweighted least squares (Hastie et al. 2009, section 4.4.1).

        With a prior, this is the most probable regression under normal distributions around its weights: the fewer
        examples there are, the less it moves away from them.

        Args:
            features: float64 `[n, d]`.
            labels: bool `[n]`: whether the event happened.
            sample: float64 `[n]`: how much each example counts.
            prior: Regression whose scale is taken, and from whose weights the penalty measures; its bias counts as one
                example.
            penalty: Ridge penalty on the weights of the scaled features, in examples.

        Example:
            >>> x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([False, False, True, True])
            >>> Logistic.fit(x, y, np.ones(4)).probability(x).round(2).tolist()
            [0.15, 0.36, 0.64, 0.85]
        """
        if prior is None:
            mean = np.average(features, axis=0, weights=sample)
            scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=sample))
            scale[scale < 1e-9] = 1.0
            start, on_bias = np.zeros(features.shape[1] + 1), 1e-6
        else:
            mean, scale = prior.mean, prior.scale
            start, on_bias = np.append(prior.weights, prior.bias), 1.0
        x = np.column_stack([(features - mean) / scale, np.ones(len(features))])
        ridge = np.diag([penalty] * features.shape[1] + [on_bias])
        w = start.copy()
        for _ in range(_STEPS):
            p = _sigmoid(x @ w)
            gradient = x.T @ (sample * (p - labels)) + ridge @ (w - start)
            curvature = (x * (sample * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x + ridge
            step = np.linalg.solve(curvature, gradient)
            w -= step * min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))
            if float(np.abs(step).max()) < _TOLERANCE:
                break
        return cls(mean, scale, w[:-1], float(w[-1]))

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of the event: features `[n, d]` to float64 `[n]`."""
        return _sigmoid((features - self.mean) / self.scale @ self.weights + self.bias)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers for a JSON file."""
        arrays = {"mean": self.mean, "scale": self.scale, "weights": self.weights}
        return {**{name: [float(value) for value in array] for name, array in arrays.items()}, "bias": self.bias}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Logistic:
        """Return the regression that `as_json` described."""
        mean, scale, weights = (np.array(content[name], np.float64) for name in ("mean", "scale", "weights"))
        return cls(mean, scale, weights, float(content["bias"]))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))
