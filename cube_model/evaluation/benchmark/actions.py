"""Actions by few-shot prototypes, as Dialog2Flow judges encoders (Burdisso et al. 2024, arXiv:2410.18481)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cube_model.evaluation.benchmark.action_sets import ActionSet
from cube_model.evaluation.benchmark.part import Encode, Entry, Part, Subject, figure, figure_of_draws
from cube_model.evaluation.intents.scoring import interval_of_mean
from cube_model.metrics.action_metrics import cosines_between, cosines_within, rank_share
from cube_model.metrics.intent_metrics import accuracy, macro_f1
from cube_model.metrics.metrics import BOOTSTRAP_SAMPLES, percentile_interval

SHOTS = (1, 5)
DRAWS = 10


def action_parts(subject: Subject, sets: list[ActionSet]) -> Iterator[Part]:
    """Yield a part for each set.

    Args:
        subject: What is judged.
        sets: Labelled utterances.
    """
    for each in sets:
        limited = each.limited(subject.config.max_rows, subject.config.seed)
        yield Part(
            f"actions: {limited.name} ({limited.language})",
            {"protocol": limited.protocol, "data": limited.fingerprint, "seed": subject.config.seed},
            lambda actions=limited: _entries(subject, actions),  # type: ignore[misc]
        )


def _entries(subject: Subject, actions: ActionSet) -> list[Entry]:
    shared = {
        "task": "actions",
        "protocol": actions.protocol,
        "source": actions.name,
        "language": actions.language,
        "seen": subject.has_seen(actions.name),
        "seed": subject.config.seed,
    }
    return [{**shared, **entry} for entry in score_actions(actions, subject.encoder.encode, subject.config.seed)]


def score_actions(actions: ActionSet, encode: Encode, seed: int = 0) -> Iterator[Entry]:
    """Yield the figures of a set: few-shot classification, the ranking of its utterances by label, and anisotropy.

    Args:
        actions: Labelled utterances.
        encode: Encoder of the texts.
        seed: Seed of draws and intervals.
    """
    vectors = encode(actions.texts).astype(np.float64)
    for shots in SHOTS:
        rows, labels = eligible(actions.labels, shots)
        if (classes := int(labels.max(initial=-1)) + 1) < 2:
            continue
        facts = {"setting": f"{shots}-shot", "labels": classes, "utterances": len(rows)}
        figures: dict[str, list[float]] = {}
        for train in draws(labels, shots, seed):
            for name, value in _few_shot(vectors[rows], labels, train, ranking=shots == 1).items():
                figures.setdefault(name, []).append(value)
        yield from ({**facts, **figure_of_draws(name, values), "draws": DRAWS} for name, values in figures.items())
    yield from _anisotropy(vectors, actions.labels, seed)


def eligible(labels: np.ndarray, shots: int) -> tuple[np.ndarray, np.ndarray]:
    """Select the labels with at least max(2 `shots`, `shots` + 5) utterances.

    Args:
        labels: int `[n]`, from 0.
        shots: Number of utterances that make a prototype.

    Returns:
        Rows of these labels, int `[m]`, and their labels, numbered anew from 0, int `[m]`.
    """
    enough = np.bincount(labels) >= max(2 * shots, shots + 5)
    rows = np.flatnonzero(enough[labels])
    return rows, (np.cumsum(enough) - 1)[labels[rows]]


def draws(labels: np.ndarray, shots: int, seed: int, count: int = DRAWS) -> Iterator[np.ndarray]:
    """Yield `shots` random rows of each label, ordered by label, for each draw.

    Args:
        labels: int `[n]`, from 0; each label occurs at least `shots` times.
        shots: Number of rows of each label.
        seed: Seed of the draws.
        count: Number of draws.
    """
    generator = np.random.default_rng((seed, shots))
    starts = np.cumsum(np.bincount(labels)) - np.bincount(labels)
    for _ in range(count):
        order = generator.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        yield order[(starts[:, None] + np.arange(shots)).ravel()]


def _few_shot(vectors: np.ndarray, labels: np.ndarray, train: np.ndarray, *, ranking: bool) -> dict[str, float]:
    """Classify by the nearest prototype, the mean of unit vectors by inner product, as the authors' program does."""
    classes = int(labels.max()) + 1
    rest = np.ones(len(labels), dtype=bool)
    rest[train] = False
    prototypes = vectors[train].reshape(classes, -1, vectors.shape[1]).mean(1)
    scores, true = prototypes @ vectors[rest].T, labels[rest]
    predictions = scores.argmax(0)
    figures = {"macro_f1": macro_f1(true, predictions), "accuracy": accuracy(true, predictions)}
    if ranking:
        figures["rank_share"] = float(rank_share(scores, true, np.bincount(labels)).mean())
    return figures


def _anisotropy(vectors: np.ndarray, labels: np.ndarray, seed: int) -> Iterator[Entry]:
    facts = {"setting": "anisotropy", "labels": int(labels.max()) + 1, "utterances": len(labels)}
    within = cosines_within(vectors, labels)
    if len(within):
        yield {**facts, **figure("cosine_within", within.mean(), interval_of_mean(within.tolist()), "labels")}
    between = cosines_between(vectors, labels)
    np.fill_diagonal(between, 0)
    count = len(between)
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=BOOTSTRAP_SAMPLES)
    sums, pairs = ((weights @ matrix * weights).sum(1) for matrix in (between, 1 - np.eye(count)))
    mean = between.sum() / (count * (count - 1))
    samples = np.where(pairs > 0, sums / np.maximum(pairs, 1), mean)  # a sample may contain one label only
    yield {**facts, **figure("cosine_between", mean, percentile_interval(samples), "labels")}
