"""The figures of response selection, computed on vectors alone; nothing here knows a model or a dataset.

The one place that defines them: the command line, the leaderboard and the `evaluate.Metric` classes all call these
functions. Retrieval figures (1-of-100, MRR, recall) and the mean cosine to the true answer pull in different
directions (a contrastive loss raises the first and lowers the second), so every report holds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Matrix: TypeAlias = Any
"""float32 `[n, d]`: a numpy array, or a sparse matrix of scipy (word weights), which has no typing of its own."""

BATCH = 100
"""Candidates of one question: the true answer and 99 others, as in Henderson et al. 2019 (arXiv:1904.06472)."""

BOOTSTRAP_SAMPLES = 1000

RECALL_AT = (1, 10, 100)
"""Ranks among all distinct answers within which the true one counts as found."""


@dataclass(frozen=True)
class Draws:
    """Seeded shuffles cut into batches; made once and used for every map that is compared.

    Attributes:
        batches: int `[draws, batches, batch size]`, row numbers; rows that do not fill a batch are left out of that
            draw.
    """

    batches: np.ndarray

    @classmethod
    def of(cls, n: int, *, draws: int = 3, seed: int = 0, size: int = BATCH) -> Draws:
        """Batches of `size` out of `n` rows; one batch of all rows when there are fewer than `size`."""
        size = min(size, n)
        used = n // size * size
        generator = np.random.default_rng(seed)
        shuffles = [generator.permutation(n)[:used].reshape(-1, size) for _ in range(draws)]
        return cls(np.stack(shuffles))

    @classmethod
    def within(cls, groups: np.ndarray, *, draws: int = 3, seed: int = 0, size: int = BATCH) -> Draws:
        """Batches whose rows are all of one group (`groups` int `[n]`): negatives of the same domain.

        Groups with fewer than `size` rows are left out; there may be no batch at all.
        """
        generator = np.random.default_rng(seed)
        members = [rows for group in np.unique(groups) if len(rows := np.flatnonzero(groups == group)) >= size]
        empty = np.empty((0, size), dtype=np.int64)
        shuffles = [
            np.concatenate(
                [empty, *(generator.permutation(m)[: len(m) // size * size].reshape(-1, size) for m in members)]
            )
            for _ in range(draws)
        ]
        return cls(np.stack(shuffles))

    @classmethod
    def together(cls, groups: np.ndarray, *, draws: int = 3, seed: int = 0, size: int = BATCH) -> Draws:
        """Batches of whole groups, one after the other: negatives of the same dialogue, filled up with other ones.

        A group that a batch has no room for is cut.
        """
        n = len(groups)
        size = min(size, n)
        generator = np.random.default_rng(seed)
        _, group = np.unique(groups, return_inverse=True)
        shuffles = []
        for _ in range(draws):
            place = generator.permutation(group.max() + 1)
            shuffles.append(np.argsort(place[group], kind="stable")[: n // size * size].reshape(-1, size))
        return cls(np.stack(shuffles))


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Rows of `[n, d]` scaled to length 1; a row of zeros stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)


def scores(questions: Matrix, answers: Matrix) -> np.ndarray:
    """Inner products `[n, m]` of the rows of two matrices, dense or sparse."""
    product: Any = questions @ answers.T
    return product if isinstance(product, np.ndarray) else product.toarray()


def one_of_batch(
    questions: Matrix, answers: Matrix, labels: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which questions find their answer among those of their batch.

    Args:
        questions: `[n, d]`.
        answers: `[n, d]`; row i is the true answer of question i. The score of two rows is their inner product: the
            cosine when both have length 1.
        labels: int `[n]`, equal for equal answers.
        draws: The batches.

    Returns:
        Three float `[n, draws]`, NaN where the row is in no batch of that draw: by text equality (the best-scored
        answer has the label of the true one), by index (it IS the row of the true one), and the ceiling of the latter
        (the true answer's label occurs once in the batch). Of equal best scores the first counts.
    """
    shape = (len(labels), len(draws.batches))
    by_text, by_index, unique = (np.full(shape, np.nan, dtype=np.float32) for _ in range(3))
    for draw, batches in enumerate(draws.batches):
        for rows in batches:
            best = np.argmax(scores(questions[rows], answers[rows]), axis=1)
            gold = labels[rows]
            by_text[rows, draw] = gold[best] == gold
            by_index[rows, draw] = best == np.arange(len(rows))
            unique[rows, draw] = (gold[:, None] == gold[None, :]).sum(1) == 1
    return by_text, by_index, unique


def quick_accuracy(questions: np.ndarray, answers: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> float:
    """1-of-100 accuracy by text equality of one draw: what training chooses its best epoch by."""
    by_text, _, _ = one_of_batch(questions, answers, labels, Draws.of(len(labels), draws=1, seed=seed))
    return float(np.nanmean(by_text))


def gold_ranks(questions: Matrix, pool: Matrix, gold: np.ndarray, *, chunk: int = 1024) -> np.ndarray:
    """Rank of the true answer among all distinct answers, 1 is best.

    Args:
        questions: `[n, d]`.
        pool: `[m, d]`, one row a distinct answer.
        gold: int `[n]`, row of the true answer in `pool`.
        chunk: Questions scored at a time.

    Returns:
        int `[n]`. Equal scores count against the question: a map that sends everything to one point gains nothing.
    """
    ranks = np.empty(len(gold), dtype=np.int64)
    for start in range(0, len(gold), chunk):
        stop = min(start + chunk, len(gold))
        found = scores(questions[start:stop], pool)
        own = found[np.arange(stop - start), gold[start:stop]]
        ranks[start:stop] = (found >= own[:, None]).sum(1)
    return ranks


def cosines(questions: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Cosine of each question `[n, d]` and its true answer `[n, d]`."""
    return (normalize(questions) * normalize(answers)).sum(1)


def bootstrap(
    values: np.ndarray, groups: np.ndarray, *, samples: int = BOOTSTRAP_SAMPLES, seed: int = 0
) -> tuple[float, np.ndarray]:
    """Mean, and the means of samples in which whole groups (dialogues) are drawn again with replacement.

    Turns of one dialogue are alike; drawing pairs alone would make intervals too narrow. Equal groups and seed give the
    same samples whatever the values: the samples of two methods can be subtracted one from the other.

    Args:
        values: float `[n]` or `[n, draws]`; NaN entries are left out.
        groups: int `[n]`, the dialogue of each row.
        samples: Bootstrap samples.
        seed: Of the samples.

    Returns:
        Mean, and float64 `[samples]`.
    """
    table = values.reshape(len(values), -1).astype(np.float64)
    there = ~np.isnan(table)
    _, group = np.unique(groups, return_inverse=True)
    sums = np.bincount(group, weights=np.where(there, table, 0).sum(1))
    counts = np.bincount(group, weights=there.sum(1).astype(np.float64))
    mean = float(sums.sum() / counts.sum())
    generator = np.random.default_rng(seed)
    drawn = np.empty(samples)
    for start in range(0, samples, 100):  # [100, groups] at a time bounds the memory
        size = min(100, samples - start)
        weights = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=size)
        # groups without a value in any draw can make a sample empty: that sample says nothing beyond the mean
        total = weights @ counts
        drawn[start : start + size] = np.where(total > 0, (weights @ sums) / np.maximum(total, 1), mean)
    return mean, drawn


def percentile_interval(drawn: np.ndarray) -> tuple[float, float]:
    """Ends of the 95 % interval of bootstrap samples (percentile method)."""
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_interval(
    values: np.ndarray, groups: np.ndarray, *, samples: int = BOOTSTRAP_SAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """Mean, lower and upper end of its 95 % interval over groups; see `bootstrap`."""
    mean, drawn = bootstrap(values, groups, samples=samples, seed=seed)
    return mean, *percentile_interval(drawn)
