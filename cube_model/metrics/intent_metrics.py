"""The figures of intent classification, and the same as metrics for the `evaluate` library.

>>> import evaluate
>>> from cube_model.metrics.intent_metrics import IntentMetric
>>> both = evaluate.combine([IntentMetric("accuracy"), IntentMetric("macro_f1")])
>>> both.compute(predictions=[0, 1, 1], references=[0, 1, 0])
{'accuracy': 0.6666666666666666, 'macro_f1': 0.6666666666666666}

The file needs nothing of this package: `evaluate.load("intent_metrics.py", "macro_f1")` takes it as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import datasets
import evaluate
import numpy as np

POSITIVE_RATE = 95
"""Percentage of in-scope utterances that are let through where `fpr95` is measured."""


def accuracy(references: np.ndarray, predictions: np.ndarray) -> float:
    """Share of the rows whose label is predicted; both int `[n]`."""
    return float(np.mean(np.asarray(references) == np.asarray(predictions)))


def macro_f1(references: np.ndarray, predictions: np.ndarray) -> float:
    """Mean of the F1 of every class that is in references or predictions, both int `[n]`."""
    from sklearn.metrics import f1_score

    return float(f1_score(references, predictions, average="macro", zero_division=0))


def auroc(references: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; `references` `[n]` are true (1) in scope, `scores` `[n]` are higher in scope."""
    inside, outside = _let_through(references, scores)
    heights = (inside[1:] + inside[:-1]) / 2
    return float(np.sum(np.diff(outside) * heights) / (inside[-1] * outside[-1]))


def aupr(references: np.ndarray, scores: np.ndarray) -> float:
    """Average precision with the in-scope rows as positive; arguments as of `auroc`."""
    inside, outside = _let_through(references, scores)
    precision = inside[1:] / (inside[1:] + outside[1:])
    return float(np.sum(np.diff(inside) * precision) / inside[-1])


def _let_through(references: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In-scope and out-of-scope rows that score at least as high as each distinct score, from 0 and the highest on.

    scikit-learn's figures are the same; its checks take ten times as long, which thousands of bootstrap samples feel.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    sorted_scores = np.asarray(scores)[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(order) - 1)
    inside = np.cumsum(np.asarray(references, dtype=np.int64)[order])[ends]
    return np.append(0, inside), np.append(0, ends + 1 - inside)


def aupr_out(references: np.ndarray, scores: np.ndarray) -> float:
    """Average precision with the out-of-scope rows as positive and the scores negated; arguments as of `auroc`."""
    return aupr(1 - np.asarray(references, dtype=np.int64), -np.asarray(scores))


def fpr95(references: np.ndarray, scores: np.ndarray) -> float:
    """Share of out-of-scope rows that score above the 5th percentile of the in-scope scores; arguments as of `auroc`.

    The percentile is numpy's, which interpolates: what lets 95 % of the in-scope rows through.
    """
    inside = np.asarray(references).astype(bool)
    scores = np.asarray(scores)
    return float(np.mean(scores[~inside] > np.percentile(scores[inside], 100 - POSITIVE_RATE)))


def v_measure(references: np.ndarray, predictions: np.ndarray) -> float:
    """Harmonic mean of homogeneity and completeness (Rosenberg & Hirschberg 2007) of clusters, int `[n]`."""
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(references, predictions))


def nmi(references: np.ndarray, predictions: np.ndarray) -> float:
    """Mutual information over the arithmetic mean of both entropies: by definition equal to `v_measure`."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(references, predictions))


CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"accuracy": accuracy, "macro_f1": macro_f1}
OUT_OF_SCOPE: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auroc": auroc,
    "aupr": aupr,
    "aupr_out": aupr_out,
    "fpr95": fpr95,
}
CLUSTERING: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"v_measure": v_measure, "nmi": nmi}
METRICS = {**CLASSIFICATION, **OUT_OF_SCOPE, **CLUSTERING}

_DESCRIPTION = """\
Intent classification. accuracy and macro_f1 of predicted classes; auroc, aupr, aupr_out (out of scope is positive) and
fpr95 (share of out-of-scope rows above the 5th percentile of the in-scope scores) of a score that is higher for
utterances in scope; v_measure and nmi of clusters against classes.
"""

_INPUTS = """\
Args:
    predictions: n whole numbers, the predicted classes or the clusters; for auroc, aupr, aupr_out, fpr95 n scores.
    references: n whole numbers, the true classes; for auroc, aupr, aupr_out, fpr95 1 in scope and 0 out of scope.
"""


class IntentMetric(evaluate.Metric):
    """One metric, named by `config_name`: a key of `METRICS`; accuracy when not given."""

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name == "default":
            self.config_name = next(iter(METRICS))
        if self.config_name not in METRICS:
            raise ValueError(f"no metric {self.config_name!r}; there are {', '.join(METRICS)}")
        given = "float64" if self.config_name in OUT_OF_SCOPE else "int64"
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": datasets.Value(given), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: list[float], references: list[int]) -> dict[str, float]:
        return {self.config_name: METRICS[self.config_name](np.asarray(references), np.asarray(predictions))}
