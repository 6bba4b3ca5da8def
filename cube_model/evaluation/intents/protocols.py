"""Protocols for frozen embeddings: few-shot, linear probe, prototype, nearest neighbours, out of scope, clustering.

The few-shot protocol is MTEB's, exactly as its code implements it (`AbsTaskClassification`, mteb 2.26); see
`few_shot_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.clustering import means

if TYPE_CHECKING:
    from cube_model.evaluation.intents.task import IntentTask

Encode = Callable[[list[str]], np.ndarray]
"""Function from n texts to embeddings, float32 `[n, d]`, with rows of norm 1."""

MTEB_SEED = 42
"""MTEB's seed for sampler and classifier. Other seeds move the mean of the ten draws by 0.2 to 0.8 points."""

DRAWS = 10
NEIGHBOURS = 10
_BLOCK = 1024

RESTARTS = 10


@dataclass(frozen=True)
class Guesses:
    """Predictions of one protocol for the n test rows.

    Attributes:
        predictions: int `[draws, n]`, classes.
        train_size: Number of training utterances in a draw.
        seed: Seed of the draws; None if nothing is drawn.
        settings: Settings needed to reproduce the predictions.
    """

    predictions: np.ndarray
    train_size: int
    seed: int | None
    settings: dict[str, Any]


def few_shot_rows(labels: np.ndarray, shots: int, *, draws: int = DRAWS, seed: int = MTEB_SEED) -> Iterator[np.ndarray]:
    """Yield the row numbers of the training utterances of each draw, exactly like MTEB's sampler.

    Every draw creates a generator with the same seed, but shuffles the list that the previous draw shuffled. The draw
    consists of the first `shots` rows of each label in that order, or all rows of a label that has fewer.

    Args:
        labels: int `[n]`, in the order of the dataset.
        shots: Number of rows per label.
        draws: Number of draws.
        seed: Seed of the generator.
    """
    rows = list(range(len(labels)))
    for _ in range(draws):
        np.random.RandomState(seed).shuffle(rows)
        order = labels[rows]
        by_label = np.argsort(order, kind="stable")
        counts = np.bincount(order)
        rank = np.empty(len(rows), dtype=np.int64)
        rank[by_label] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield np.array(rows)[rank < shots]


def few_shot(task: IntentTask, encode: Encode, shots: int, *, seed: int = MTEB_SEED) -> Guesses:
    """Logistic regression on `shots` utterances per class, in ten draws."""
    from sklearn.linear_model import LogisticRegression

    draws = list(few_shot_rows(task.train.labels, shots, seed=seed))
    distinct = np.unique(np.concatenate(draws))  # encode only the utterances that occur in a draw
    vectors = encode([task.train.texts[i] for i in distinct])
    test = encode(task.test.texts)
    predictions = []
    for rows in draws:
        model = LogisticRegression(max_iter=100, random_state=seed)
        model.fit(vectors[np.searchsorted(distinct, rows)], task.train.labels[rows])
        predictions.append(model.predict(test))
    settings = {"shots": shots, "draws": len(draws), "classifier": "logistic regression", "C": 1.0, "max_iter": 100}
    return Guesses(np.stack(predictions), round(float(np.mean([len(rows) for rows in draws]))), seed, settings)


def linear(task: IntentTask, encode: Encode) -> Guesses:
    """Logistic regression on all training utterances."""
    model, settings = linear_probe(task, encode)
    return Guesses(model.predict(encode(task.test.texts))[None], len(task.train), None, settings)


def linear_probe(task: IntentTask, encode: Encode) -> tuple[Any, dict[str, Any]]:
    """Return the fitted classifier of `linear` and its settings."""
    from sklearn.linear_model import LogisticRegression

    settings = {"classifier": "logistic regression", "C": 1.0, "max_iter": 1000}
    model = LogisticRegression(C=1.0, max_iter=1000)
    return model.fit(encode(task.train.texts), task.train.labels), settings


def prototypes(task: IntentTask, encode: Encode) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes, int `[c]`, and their mean training embeddings, float32 `[c, d]`, with norm 1."""
    classes, rows = np.unique(task.train.labels, return_inverse=True)
    return classes, means(encode(task.train.texts), rows)


def prototype(task: IntentTask, encode: Encode) -> Guesses:
    """Nearest class by the cosine to its mean training embedding."""
    classes, centres = prototypes(task, encode)
    nearest = (encode(task.test.texts) @ centres.T).argmax(1)
    return Guesses(classes[nearest][None], len(task.train), None, {"similarity": "cosine"})


def knn(task: IntentTask, encode: Encode) -> Guesses:
    """Majority class of the ten nearest training utterances by cosine, with equal weights."""
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(NEIGHBOURS, len(task.train))
    model = KNeighborsClassifier(neighbours, metric="cosine", algorithm="brute")
    model.fit(encode(task.train.texts), task.train.labels)
    test = encode(task.test.texts)
    parts = [model.predict(test[start : start + _BLOCK]) for start in range(0, len(test), _BLOCK)]
    settings = {"similarity": "cosine", "neighbours": neighbours, "weights": "uniform"}
    return Guesses(np.concatenate(parts)[None], len(task.train), None, settings)


def scope_scores(task: IntentTask, encode: Encode) -> dict[str, np.ndarray]:
    """Return the scores of all detectors for n in-scope and m out-of-scope test rows, float `[n + m]` by detector.

    `max_cosine` is the cosine to the nearest class mean; `max_softmax` and `max_logit` are the largest probability and
    the largest decision value of the linear probe. All detectors learn only from in-scope training rows.
    """
    test = encode(task.test.texts + task.outside.texts)
    _, centres = prototypes(task, encode)
    probe, _ = linear_probe(task, encode)
    logits = probe.decision_function(test)
    if logits.ndim == 1:  # for two classes scikit-learn returns only the signed distance to the boundary
        logits = np.stack([-logits, logits], axis=1)
    return {
        "max_cosine": (test @ centres.T).max(1),
        "max_softmax": probe.predict_proba(test).max(1),
        "max_logit": logits.max(1),
    }


def clusters(task: IntentTask, encode: Encode, seeds: int) -> Iterator[np.ndarray]:
    """Yield the k-means clusters of the n test rows, int `[n]`, for each seed; k is the number of test classes."""
    from sklearn.cluster import KMeans

    vectors = encode(task.test.texts)
    count = len(np.unique(task.test.labels))
    for seed in range(seeds):
        yield KMeans(count, n_init=RESTARTS, random_state=seed).fit_predict(vectors)
