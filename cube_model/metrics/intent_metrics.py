"""Metrics of intent classification, as functions and as `evaluate` metrics.

>>> import evaluate
>>> from cube_model.metrics.intent_metrics import IntentMetric
>>> both = evaluate.combine([IntentMetric("accuracy"), IntentMetric("macro_f1")])
>>> both.compute(predictions=[0, 1, 1], references=[0, 1, 0])
{'accuracy': 0.6666666666666666, 'macro_f1': 0.6666666666666666}

This file does not depend on the package: `evaluate.load("intent_metrics.py", "macro_f1")` loads it directly.
"""

from __future__ import annotations

from collections.abc import Callable

import datasets
import evaluate
import numpy as np

POSITIVE_RATE = 95
"""Percentage of in-scope utterances accepted at the threshold of `fpr95`."""


def accuracy(references: np.ndarray, predictions: np.ndarray) -> float:
    """Compute the share of correct predictions; both arrays int `[n]`."""
    return float(np.mean(np.asarray(references) == np.asarray(predictions)))


def macro_f1(references: np.ndarray, predictions: np.ndarray) -> float:
    """Compute the mean F1 over the classes of the references and predictions, both int `[n]`."""
    from sklearn.metrics import f1_score

    return float(f1_score(references, predictions, average="macro", zero_division=0))


def auroc(references: np.ndarray, scores: np.ndarray) -> float:
    """Compute the area under the ROC curve.

    Args:
        references: Ground truth `[n]`: 1 or True in scope, 0 or False out of scope.
        scores: In-scope scores `[n]`, higher for utterances in scope.
    """
    inside, outside = _accepted_counts(references, scores)
    heights = (inside[1:] + inside[:-1]) / 2
    return float(np.sum(np.diff(outside) * heights) / (inside[-1] * outside[-1]))


def aupr(references: np.ndarray, scores: np.ndarray) -> float:
    """Compute the average precision with in-scope rows as positives; arguments as in `auroc`."""
    inside, outside = _accepted_counts(references, scores)
    precision = inside[1:] / (inside[1:] + outside[1:])
    return float(np.sum(np.diff(inside) * precision) / inside[-1])


def _accepted_counts(references: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the in-scope and out-of-scope rows accepted at each distinct score as threshold, from the highest down.

    Both arrays start with 0, for a threshold above all scores. scikit-learn computes the same curves, but its input
    checks take ten times as long, which matters for thousands of bootstrap samples.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    sorted_scores = np.asarray(scores)[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(order) - 1)
    inside = np.cumsum(np.asarray(references, dtype=np.int64)[order])[ends]
    return np.append(0, inside), np.append(0, ends + 1 - inside)


def aupr_out(references: np.ndarray, scores: np.ndarray) -> float:
    """Compute the average precision with out-of-scope rows as positives and negated scores; arguments as in `auroc`."""
    return aupr(1 - np.asarray(references, dtype=np.int64), -np.asarray(scores))


def fpr95(references: np.ndarray, scores: np.ndarray) -> float:
    """Compute the share of out-of-scope rows that score above the 5th percentile of the in-scope scores.

    This threshold accepts 95 % of the in-scope rows. `np.percentile` interpolates it linearly. Arguments as in `auroc`.
    """
    inside = np.asarray(references).astype(bool)
    scores = np.asarray(scores)
    return float(np.mean(scores[~inside] > np.percentile(scores[inside], 100 - POSITIVE_RATE)))


def v_measure(references: np.ndarray, predictions: np.ndarray) -> float:
    """Compute the V-measure of clusters (Rosenberg & Hirschberg 2007), int `[n]`.

    It is the harmonic mean of homogeneity and completeness.
    """
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(references, predictions))


def nmi(references: np.ndarray, predictions: np.ndarray) -> float:
    """Compute the mutual information divided by the mean of both entropies; by definition equal to `v_measure`."""
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
Metrics of intent classification. accuracy and macro_f1 score predicted classes. auroc, aupr, aupr_out (out-of-scope
rows are positives) and fpr95 (share of out-of-scope rows above the 5th percentile of the in-scope scores) evaluate a
score that is higher for utterances in scope. v_measure and nmi compare clusters with classes.
"""

_INPUTS = """\
Args:
    predictions: n integers, predicted classes or clusters; for auroc, aupr, aupr_out and fpr95, n scores.
    references: n integers, true classes; for auroc, aupr, aupr_out and fpr95, 1 in scope and 0 out of scope.
"""


class IntentMetric(evaluate.Metric):
    """The metric named by `config_name`, a key of `METRICS`; accuracy by default."""

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name == "default":
            self.config_name = next(iter(METRICS))
        if self.config_name not in METRICS:
            raise ValueError(f"unknown metric {self.config_name!r}: expected one of {', '.join(METRICS)}")
        dtype = "float64" if self.config_name in OUT_OF_SCOPE else "int64"
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": datasets.Value(dtype), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: list[float], references: list[int]) -> dict[str, float]:
        return {self.config_name: METRICS[self.config_name](np.asarray(references), np.asarray(predictions))}
