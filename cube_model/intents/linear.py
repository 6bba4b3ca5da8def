"""Logistic regression on vectors: one label a row (softmax) or several (a sigmoid for each label).

All rows are used at once by L-BFGS. The loss is convex, so the same rows give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_ITERATIONS = 100
_TOLERANCE = 1e-5
"""Largest gradient at the end: predictions no longer change in the third digit."""


@dataclass(frozen=True)
class Linear:
    """Weights of k labels.

    Attributes:
        weights: float32 `[k, d]`.
        bias: float32 `[k]`.
    """

    weights: np.ndarray
    bias: np.ndarray

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Compute the logits of n vectors, float32 `[n, k]`."""
        return np.asarray(vectors @ self.weights.T + self.bias, dtype=np.float32)


def fit_linear(
    vectors: np.ndarray, targets: np.ndarray, strength: float, *, single: bool, is_precise: bool = True
) -> Linear:
    """Fit a logistic regression with an L2 penalty.

    It minimises the summed cross-entropy plus `|W|^2 / (2 strength)`; the bias is free. Vectors are centred first,
    which leaves the minimum the same but for the bias and takes a fraction of the steps.

    Args:
        vectors: Training vectors, float `[n, d]`.
        targets: Labels of each row, bool `[n, k]`.
        strength: Inverse strength of the penalty, `C` of scikit-learn.
        single: Whether a row has exactly one label.
        is_precise: Whether to compute in double precision; single precision takes half the time.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    kind = torch.float64 if is_precise else torch.float32
    mean = vectors.mean(0, dtype=np.float64)
    rows = torch.from_numpy(vectors - mean).to(kind)
    goal = torch.from_numpy(targets).to(kind)
    numbers = goal.argmax(1)
    weights = torch.zeros(targets.shape[1], vectors.shape[1], dtype=kind, requires_grad=True)
    bias = torch.zeros(targets.shape[1], dtype=kind, requires_grad=True)

    def loss() -> torch.Tensor:
        logits = rows @ weights.T + bias
        if single:
            fit = cross_entropy(logits, numbers)
        else:
            fit = binary_cross_entropy_with_logits(logits, goal, reduction="sum") / len(rows)
        return fit + (weights**2).sum() / (2 * strength * len(rows))

    _minimise(loss, [weights, bias])
    matrix = weights.detach().double().numpy()
    offset = bias.detach().double().numpy() - matrix @ mean
    return Linear(matrix.astype(np.float32), offset.astype(np.float32))


def fit_row(
    logits: np.ndarray, others: np.ndarray, numbers: np.ndarray, vectors: np.ndarray, strength: float, *, single: bool
) -> tuple[np.ndarray, float]:
    """Fit the weights of one more label, while those of the other labels stay as they are.

    Args:
        logits: Logits of the other labels for m of their vectors and then the n new ones, float `[m + n, k]`.
        others: Vectors of the other labels, float `[m, d]`.
        numbers: Label of each of them, int `[m]`; unused without `single`.
        vectors: Vectors of the new label, float `[n, d]`.
        strength: As in `fit_linear`.
        single: Whether a row has one label.

    Returns:
        Weights, float32 `[d]`, and bias.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    rows = np.concatenate([others, vectors]).astype(np.float64)
    mean = rows.mean(0)
    centred, other_logits = torch.from_numpy(rows - mean), torch.from_numpy(logits.astype(np.float64))
    is_new = torch.from_numpy(np.arange(len(rows)) >= len(others))
    goal = torch.from_numpy(np.concatenate([numbers, np.full(len(vectors), logits.shape[1])]).astype(np.int64))
    weights = torch.zeros(rows.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def loss() -> torch.Tensor:
        own = centred @ weights + bias
        if single:
            fit = cross_entropy(torch.cat([other_logits, own[:, None]], dim=1), goal)
        else:
            fit = binary_cross_entropy_with_logits(own, is_new.double())
        return fit + (weights**2).sum() / (2 * strength * len(rows))

    _minimise(loss, [weights, bias])
    row = weights.detach().numpy()
    return row.astype(np.float32), float(bias.item() - row @ mean)


def _minimise(loss: Callable[[], torch.Tensor], parameters: list[torch.Tensor]) -> None:
    import torch

    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
