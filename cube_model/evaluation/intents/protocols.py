"""How frozen vectors are judged: few-shot, linear probe, prototype, nearest neighbours, out of scope, clusters.

The few-shot protocol is MTEB's, exactly as its code does it (`AbsTaskClassification`, mteb 2.26): see `few_shot_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.metrics.metrics import normalize

if TYPE_CHECKING:
    from cube_model.evaluation.intents.task import IntentTask

Encode = Callable[[list[str]], np.ndarray]
"""n texts -> float32 `[n, d]`, every row of length 1."""

MTEB_SEED = 42
"""Of the sampler and of the classifier in MTEB. Other seeds move the mean of the ten draws by .2 to .8 points."""

DRAWS = 10
NEIGHBOURS = 10
_BLOCK = 1024

RESTARTS = 10


@dataclass(frozen=True)
class Guesses:
    """What one protocol predicts for the test rows.

    Attributes:
        predictions: int `[draws, n]`, classes.
        train_size: Training utterances of a draw.
        seed: Of the draws; None where nothing is drawn.
        settings: What a reader needs to do it again.
    """

    predictions: np.ndarray
    train_size: int
    seed: int | None
    settings: dict[str, Any]


def few_shot_rows(labels: np.ndarray, shots: int, *, draws: int = DRAWS, seed: int = MTEB_SEED) -> Iterator[np.ndarray]:
    """Row numbers of the training utterances of each draw: MTEB's sampler with all its habits.

    The generator is made anew with the same seed for every draw, but shuffles the list that the last draw left
    behind; of the shuffled rows the first `shots` of each label are taken, in that order. A label with fewer rows gives
    all of them.

    Args:
        labels: int `[n]`, in the order of the dataset.
        shots: Rows of each label.
        draws: Number of draws.
        seed: Of the generator.
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
    """Logistic regression on `shots` utterances of each class, ten draws."""
    from sklearn.linear_model import LogisticRegression

    drawn = list(few_shot_rows(task.train.labels, shots, seed=seed))
    needed = np.unique(np.concatenate(drawn))  # only what is used is encoded
    vectors = encode([task.train.texts[i] for i in needed])
    test = encode(task.test.texts)
    predictions = []
    for rows in drawn:
        model = LogisticRegression(max_iter=100, random_state=seed)
        model.fit(vectors[np.searchsorted(needed, rows)], task.train.labels[rows])
        predictions.append(model.predict(test))
    settings = {"shots": shots, "draws": len(drawn), "classifier": "logistic regression", "C": 1.0, "max_iter": 100}
    return Guesses(np.stack(predictions), round(float(np.mean([len(rows) for rows in drawn]))), seed, settings)


def linear(task: IntentTask, encode: Encode) -> Guesses:
    """Logistic regression on all training utterances."""
    model, settings = linear_probe(task, encode)
    return Guesses(model.predict(encode(task.test.texts))[None], len(task.train), None, settings)


def linear_probe(task: IntentTask, encode: Encode) -> tuple[Any, dict[str, Any]]:
    """The classifier of `linear` and its settings."""
    from sklearn.linear_model import LogisticRegression

    settings = {"classifier": "logistic regression", "C": 1.0, "max_iter": 1000}
    model = LogisticRegression(C=1.0, max_iter=1000)
    return model.fit(encode(task.train.texts), task.train.labels), settings


def prototypes(task: IntentTask, encode: Encode) -> tuple[np.ndarray, np.ndarray]:
    """Classes int `[c]`, and the mean of their training vectors, float32 `[c, d]`, of length 1."""
    classes, number = np.unique(task.train.labels, return_inverse=True)
    vectors = encode(task.train.texts)
    sums = np.zeros((len(classes), vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, number, vectors)
    return classes, normalize(sums).astype(np.float32)


def prototype(task: IntentTask, encode: Encode) -> Guesses:
    """The class whose mean training vector is nearest by cosine."""
    classes, means = prototypes(task, encode)
    best = (encode(task.test.texts) @ means.T).argmax(1)
    return Guesses(classes[best][None], len(task.train), None, {"similarity": "cosine"})


def knn(task: IntentTask, encode: Encode) -> Guesses:
    """The majority among the ten nearest training utterances by cosine; each counts the same."""
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(NEIGHBOURS, len(task.train))
    model = KNeighborsClassifier(neighbours, metric="cosine", algorithm="brute")
    model.fit(encode(task.train.texts), task.train.labels)
    test = encode(task.test.texts)
    parts = [model.predict(test[start : start + _BLOCK]) for start in range(0, len(test), _BLOCK)]
    settings = {"similarity": "cosine", "neighbours": neighbours, "weights": "uniform"}
    return Guesses(np.concatenate(parts)[None], len(task.train), None, settings)


def scope_scores(task: IntentTask, encode: Encode) -> dict[str, np.ndarray]:
    """Scores of the test rows, those in scope first: float `[n + m]` by the name of the method.

    `max_cosine`: cosine to the nearest class mean. `max_softmax`, `max_logit`: largest probability and largest
    decision value of the linear probe. All learn from in-scope training rows only.
    """
    test = encode(task.test.texts + task.outside.texts)
    _, means = prototypes(task, encode)
    probe, _ = linear_probe(task, encode)
    logits = probe.decision_function(test)
    if logits.ndim == 1:  # two classes: one value, the distance to their border
        logits = np.stack([-logits, logits], axis=1)
    return {
        "max_cosine": (test @ means.T).max(1),
        "max_softmax": probe.predict_proba(test).max(1),
        "max_logit": logits.max(1),
    }


def clusters(task: IntentTask, encode: Encode, seeds: int) -> Iterator[np.ndarray]:
    """Cluster numbers int `[n]` of the test rows by k-means, for each seed; as many as there are test classes."""
    from sklearn.cluster import KMeans

    vectors = encode(task.test.texts)
    count = len(np.unique(task.test.labels))
    for seed in range(seeds):
        yield KMeans(count, n_init=RESTARTS, random_state=seed).fit_predict(vectors)
