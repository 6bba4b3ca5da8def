"""A linear probe for several labels a row, with intervals over dialogues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cube_model.evaluation.benchmark.part import Entry, figure
from cube_model.metrics.action_metrics import multilabel_counts, multilabel_f1
from cube_model.metrics.metrics import BOOTSTRAP_SAMPLES, percentile_interval

C = 100.0
"""Inverse strength of regularisation. With scikit-learn's 1, vectors of norm 1 lead to hardly any prediction; of 1, 10,
100 and 1,000, this was best for the acts of held-out training dialogues of SGD, and near the best for domains."""

PROBE = {"classifier": "logistic regression for each label", "C": C, "max_iter": 1000}


@dataclass(frozen=True)
class Labelled:
    """n texts, or sequences of texts, with several labels each.

    Attributes:
        vectors: float32 `[n, d]`.
        labels: n collections of names.
        groups: int `[n]`, the dialogue of each row.
    """

    vectors: np.ndarray
    labels: Sequence[Sequence[str]]
    groups: np.ndarray


def score_probe(train: Labelled, test: Labelled, seed: int = 0) -> Iterator[Entry]:
    """Yield micro and macro F1 and the share of rows whose labels are all right.

    Args:
        train: Rows to learn from.
        test: Rows to judge by. A label that occurs only here counts as missed.
        seed: Seed of the intervals.
    """
    names = sorted({name for part in (train, test) for labels in part.labels for name in labels})
    true = _indicators(test.labels, names)
    predicted = predict(train.vectors, _indicators(train.labels, names), test.vectors)
    _, group = np.unique(test.groups, return_inverse=True)
    dialogues = int(group.max()) + 1
    weights = np.random.default_rng(seed).multinomial(
        dialogues, np.full(dialogues, 1 / dialogues), size=BOOTSTRAP_SAMPLES
    )
    decisions = (true & predicted, ~true & predicted, true & ~predicted)
    samples = multilabel_f1(*(weights @ _sums(each, group) for each in decisions))
    facts = {"labels": len(names), "test_rows": len(true), "dialogues": dialogues, "train_size": len(train.vectors)}
    for name, value, drawn in zip(
        ("micro_f1", "macro_f1"), multilabel_f1(*multilabel_counts(true, predicted)), samples, strict=True
    ):
        yield {**figure(name, float(value), percentile_interval(drawn), "dialogues"), **facts}
    right = (true == predicted).all(1)
    hits, rows = (weights @ _sums(each[:, None], group)[:, 0] for each in (right, np.ones_like(right)))
    yield {**figure("accuracy", right.mean(), percentile_interval(hits / rows), "dialogues"), **facts}


def predict(vectors: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Fit a logistic regression for each label, and predict.

    Args:
        vectors: float `[n, d]`, training rows.
        labels: bool `[n, labels]`.
        others: float `[m, d]`.

    Returns:
        bool `[m, labels]`. A label that all training rows have, or none, is predicted for all rows, or none.
    """
    from sklearn.linear_model import LogisticRegression

    predictions = np.zeros((len(others), labels.shape[1]), dtype=bool)
    for number, column in enumerate(labels.T):
        if column.all() or not column.any():
            predictions[:, number] = column[0]
        else:
            predictions[:, number] = LogisticRegression(C=C, max_iter=1000).fit(vectors, column).predict(others)
    return predictions


def _indicators(labels: Sequence[Sequence[str]], names: Sequence[str]) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(names)}
    result = np.zeros((len(labels), len(names)), dtype=bool)
    for row, own in enumerate(labels):
        result[row, [numbers[name] for name in own]] = True
    return result


def _sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sum the rows of each dialogue."""
    sums = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, values)
    return sums
