"""Scores of predictions: every metric with its 95 % interval, with and without the contaminated test rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.intents.protocols import (
    MTEB_SEED,
    RESTARTS,
    Encode,
    Guesses,
    clusters,
    few_shot,
    knn,
    linear,
    prototype,
    scope_scores,
)
from cube_model.metrics.intent_metrics import CLASSIFICATION, CLUSTERING, OUT_OF_SCOPE
from cube_model.metrics.metrics import BOOTSTRAP_SAMPLES

if TYPE_CHECKING:
    from cube_model.evaluation.intents.task import IntentTask

Entry = dict[str, Any]

SHOTS = {"mteb": 8, "1-shot": 1, "5-shot": 5, "10-shot": 10}
_WHOLE: dict[str, Callable[[IntentTask, Encode], Guesses]] = {"knn": knn, "prototype": prototype, "linear": linear}

CLUSTERING_SEEDS = 5
_BOOTSTRAP_SEED = 0

Interval = tuple[float, float]

_PERCENTILES = [2.5, 97.5]


def applies(protocol: str, task: IntentTask) -> bool:
    """Return whether the task supports the protocol: `oos` needs out-of-scope test rows and intents as classes."""
    return protocol != "oos" or (task.predicts == "intent" and len(task.outside) > 0)


def score(protocol: str, task: IntentTask, encode: Encode, seeds: int | None) -> list[Entry]:
    """Return the entries of one protocol.

    Args:
        protocol: One of `PROTOCOLS`.
        task: Task.
        encode: Encoder of the texts.
        seeds: Number of seeds. Each seed of the few-shot sampler has its own entries; the seeds of k-means are
            averaged. Default: 1 for the sampler, 5 for k-means.
    """
    with warnings.catch_warnings():  # scikit-learn takes labels of one row each for numbers
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%", UserWarning)
        return _score(protocol, task, encode, seeds)


def _score(protocol: str, task: IntentTask, encode: Encode, seeds: int | None) -> list[Entry]:
    if protocol in SHOTS:
        sampler_seeds = range(MTEB_SEED, MTEB_SEED + (seeds or 1))
        shots = SHOTS[protocol]
        return [e for seed in sampler_seeds for e in _classification(task, few_shot(task, encode, shots, seed=seed))]
    if protocol in _WHOLE:
        return list(_classification(task, _WHOLE[protocol](task, encode)))
    if protocol == "oos":
        return list(_out_of_scope(task, encode))
    return list(_clustering(task, encode, seeds or CLUSTERING_SEEDS))


def _classification(task: IntentTask, guesses: Guesses) -> Iterator[Entry]:
    shared = {"train_size": guesses.train_size, "seed": guesses.seed, "settings": guesses.settings}
    for contaminated, rows in _row_sets(task.test.contaminated):
        true, predictions = task.test.labels[rows], guesses.predictions[:, rows]
        several = len(predictions) > 1
        bootstrap = {} if several else classification_intervals(true, predictions[0], seed=_BOOTSTRAP_SEED)
        for name, metric in CLASSIFICATION.items():
            values = [metric(true, each) for each in predictions]
            interval = interval_of_mean(values) if several else bootstrap[name]
            yield {
                **_figure(name, float(np.mean(values)), interval, "draws" if several else "test rows"),
                **({"standard_deviation": float(np.std(values))} if several else {}),
                "contaminated": contaminated,
                "test_rows": len(true),
                **shared,
            }


def _out_of_scope(task: IntentTask, encode: Encode) -> Iterator[Entry]:
    inside = np.repeat([1, 0], [len(task.test), len(task.outside)])
    leaks = np.concatenate([task.test.contaminated, task.outside.contaminated])
    for detector, scores in scope_scores(task, encode).items():
        settings = {"detector": detector, "positive": "in scope"}
        for contaminated, rows in _row_sets(leaks):
            for name, metric in OUT_OF_SCOPE.items():
                interval = scope_interval(metric, inside[rows], scores[rows], seed=_BOOTSTRAP_SEED)
                yield {
                    **_figure(name, metric(inside[rows], scores[rows]), interval, "test rows"),
                    "contaminated": contaminated,
                    "test_rows": int(np.sum(inside[rows])),
                    "out_of_scope_rows": int(np.sum(1 - inside[rows])),
                    "train_size": len(task.train),
                    "seed": None,
                    "settings": {**settings, "positive": "out of scope"} if name == "aupr_out" else settings,
                }


def _clustering(task: IntentTask, encode: Encode, seeds: int) -> Iterator[Entry]:
    clusterings = list(clusters(task, encode, seeds))
    # contaminated rows are always clustered; only the metric leaves them out
    for contaminated, rows in _row_sets(task.test.contaminated):
        for name, metric in CLUSTERING.items():
            values = [metric(task.test.labels[rows], each[rows]) for each in clusterings]
            yield {
                **_figure(name, float(np.mean(values)), interval_of_mean(values), "seeds"),
                "standard_deviation": float(np.std(values)),
                "contaminated": contaminated,
                "test_rows": int(np.sum(rows)),
                "train_size": 0,
                "seed": 0,
                "settings": {
                    "algorithm": "k-means",
                    "clusters": len(np.unique(task.test.labels)),
                    "restarts": RESTARTS,
                    "seeds": seeds,
                },
            }


def _row_sets(contaminated: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield masks of the test rows to score: all rows and, if there are any, those without contamination."""
    yield "kept", np.ones(len(contaminated), dtype=bool)
    if not contaminated.all():
        yield "removed", ~contaminated


def _figure(name: str, value: float, interval: Interval | None, over: str) -> Entry:
    return {
        "metric": name,
        "value": value,
        "ci95": None if interval is None else list(interval),
        "ci95_of": None if interval is None else over,
    }


def interval_of_mean(values: Sequence[float]) -> Interval | None:
    """Return Student's interval of the mean of independent values, or None for fewer than two values.

    Over draws, it shows how much the choice of training utterances matters, not how much the test set does.
    """
    if len(values) < 2:
        return None
    from scipy.stats import t

    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    half = float(t.ppf(0.975, len(values) - 1) * error)
    return float(mean) - half, float(mean) + half


def classification_intervals(references: np.ndarray, predictions: np.ndarray, *, seed: int = 0) -> dict[str, Interval]:
    """Return bootstrap percentile intervals of accuracy and macro-F1 over n test rows.

    Both metrics depend only on the confusion matrix, so its entries are resampled instead of rows.

    Args:
        references: int `[n]`, true classes.
        predictions: int `[n]`, predicted classes.
        seed: Seed of the samples.
    """
    classes, numbers = np.unique(np.concatenate([references, predictions]), return_inverse=True)
    true, predicted = numbers[: len(references)], numbers[len(references) :]
    confusions, counts = np.unique(true * len(classes) + predicted, return_counts=True)
    rows, columns = np.divmod(confusions, len(classes))
    samples = np.random.default_rng(seed).multinomial(len(true), counts / len(true), size=BOOTSTRAP_SAMPLES)
    support, guesses, hits = (np.zeros((BOOTSTRAP_SAMPLES, len(classes))) for _ in range(3))
    for row, column, sampled in zip(rows, columns, samples.T, strict=True):
        support[:, row] += sampled
        guesses[:, column] += sampled
        if row == column:
            hits[:, row] += sampled
    total = support + guesses
    f1 = 2 * hits / np.maximum(total, 1)
    metrics = {"accuracy": hits.sum(1) / len(true), "macro_f1": f1.sum(1) / (total > 0).sum(1)}
    return {name: _percentiles(values) for name, values in metrics.items()}


def scope_interval(
    metric: Callable[[np.ndarray, np.ndarray], float], references: np.ndarray, scores: np.ndarray, *, seed: int = 0
) -> Interval:
    """Return the bootstrap percentile interval of an out-of-scope metric.

    In-scope and out-of-scope rows are resampled separately.

    Args:
        metric: Metric from `OUT_OF_SCOPE`.
        references: int `[n]`, 1 for in scope, 0 for out of scope.
        scores: float `[n]`.
        seed: Seed of the samples.
    """
    generator = np.random.default_rng(seed)
    groups = [np.flatnonzero(references == kind) for kind in (0, 1)]
    samples = []
    for _ in range(BOOTSTRAP_SAMPLES):
        rows = np.concatenate([generator.choice(group, len(group)) for group in groups])
        samples.append(metric(references[rows], scores[rows]))
    return _percentiles(np.array(samples))


def _percentiles(samples: np.ndarray) -> Interval:
    low, high = np.percentile(samples, _PERCENTILES)
    return float(low), float(high)
