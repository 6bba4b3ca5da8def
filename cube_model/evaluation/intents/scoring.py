"""From predictions to figures: every metric with its interval, with and without the contaminated test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.intents.clustering import RESTARTS, clusters
from cube_model.evaluation.intents.intervals import classification_intervals, interval_of_mean, scope_interval
from cube_model.evaluation.intents.protocols import MTEB_SEED, Encode, Guesses, few_shot, knn, linear, prototype
from cube_model.evaluation.intents.scope import scope_scores
from cube_model.metrics.intent_metrics import CLASSIFICATION, CLUSTERING, OUT_OF_SCOPE

if TYPE_CHECKING:
    from cube_model.evaluation.intents.task import IntentTask

Entry = dict[str, Any]

SHOTS = {"mteb": 8, "5-shot": 5, "10-shot": 10}
_WHOLE: dict[str, Callable[[IntentTask, Encode], Guesses]] = {"knn": knn, "prototype": prototype, "linear": linear}
PROTOCOLS = (*SHOTS, *_WHOLE, "oos", "clustering")

CLUSTERING_SEEDS = 5
_BOOTSTRAP_SEED = 0


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
