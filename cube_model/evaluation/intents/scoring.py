"""From predictions to figures: every metric with its 95 % interval, with and without the contaminated test rows."""

from __future__ import annotations

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

SHOTS = {"mteb": 8, "5-shot": 5, "10-shot": 10}
_WHOLE: dict[str, Callable[[IntentTask, Encode], Guesses]] = {"knn": knn, "prototype": prototype, "linear": linear}
PROTOCOLS = (*SHOTS, *_WHOLE, "oos", "clustering")

CLUSTERING_SEEDS = 5
_BOOTSTRAP_SEED = 0

Interval = tuple[float, float]

_OUTER = [2.5, 97.5]


def applies(protocol: str, task: IntentTask) -> bool:
    """Whether the protocol means something for the task: `oos` needs out-of-scope test rows and intents as classes."""
    return protocol != "oos" or (task.predicts == "intent" and len(task.outside) > 0)


def score(protocol: str, task: IntentTask, encode: Encode, seeds: int | None) -> list[Entry]:
    """The entries of one protocol.

    Args:
        protocol: One of `PROTOCOLS`.
        task: The task.
        encode: Texts -> vectors of length 1.
        seeds: Seeds of the few-shot sampler (one when None) and of k-means (five when None); each sampler seed gives
            entries of its own, the seeds of k-means are averaged.
    """
    if protocol in SHOTS:
        runs = range(MTEB_SEED, MTEB_SEED + (seeds or 1))
        return [e for s in runs for e in _classification(task, few_shot(task, encode, SHOTS[protocol], seed=s))]
    if protocol in _WHOLE:
        return list(_classification(task, _WHOLE[protocol](task, encode)))
    if protocol == "oos":
        return list(_out_of_scope(task, encode))
    return list(_clustering(task, encode, seeds or CLUSTERING_SEEDS))


def _classification(task: IntentTask, guesses: Guesses) -> Iterator[Entry]:
    shared = {"train_size": guesses.train_size, "seed": guesses.seed, "settings": guesses.settings}
    for kept, rows in _kinds(task.test.contaminated):
        true, predictions = task.test.labels[rows], guesses.predictions[:, rows]
        drawn = len(predictions) > 1
        bootstrap = {} if drawn else classification_intervals(true, predictions[0], seed=_BOOTSTRAP_SEED)
        for name, metric in CLASSIFICATION.items():
            values = [metric(true, each) for each in predictions]
            interval = interval_of_mean(values) if drawn else bootstrap[name]
            yield {
                **_figure(name, float(np.mean(values)), interval, "draws" if drawn else "test rows"),
                **({"standard_deviation": float(np.std(values))} if drawn else {}),
                "contaminated": kept,
                "test_rows": len(true),
                **shared,
            }


def _out_of_scope(task: IntentTask, encode: Encode) -> Iterator[Entry]:
    inside = np.repeat([1, 0], [len(task.test), len(task.outside)])
    contaminated = np.concatenate([task.test.contaminated, task.outside.contaminated])
    for detector, scores in scope_scores(task, encode).items():
        settings = {"detector": detector, "positive": "in scope"}
        for kept, rows in _kinds(contaminated):
            for name, metric in OUT_OF_SCOPE.items():
                interval = scope_interval(metric, inside[rows], scores[rows], seed=_BOOTSTRAP_SEED)
                yield {
                    **_figure(name, metric(inside[rows], scores[rows]), interval, "test rows"),
                    "contaminated": kept,
                    "test_rows": int(np.sum(inside[rows])),
                    "out_of_scope_rows": int(np.sum(1 - inside[rows])),
                    "train_size": len(task.train),
                    "seed": None,
                    "settings": {**settings, "positive": "out of scope"} if name == "aupr_out" else settings,
                }


def _clustering(task: IntentTask, encode: Encode, seeds: int) -> Iterator[Entry]:
    found = list(clusters(task, encode, seeds))
    # the contaminated rows are clustered in either case: only the figure leaves them out
    for kept, rows in _kinds(task.test.contaminated):
        for name, metric in CLUSTERING.items():
            values = [metric(task.test.labels[rows], each[rows]) for each in found]
            yield {
                **_figure(name, float(np.mean(values)), interval_of_mean(values), "seeds"),
                "standard_deviation": float(np.std(values)),
                "contaminated": kept,
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


def _kinds(contaminated: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Which test rows count: all, and those whose text stands in no official training split (if that leaves any)."""
    yield "kept", np.ones(len(contaminated), dtype=bool)
    if not contaminated.all():
        yield "removed", ~contaminated


def _figure(name: str, value: float, interval: tuple[float, float] | None, of: str) -> Entry:
    return {
        "metric": name,
        "value": value,
        "ci95": None if interval is None else list(interval),
        "ci95_of": None if interval is None else of,
    }


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
