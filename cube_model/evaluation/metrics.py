"""The figures of response selection, computed on vectors alone; nothing here knows a model or a dataset.

Retrieval figures (1-of-100, MRR) and the mean cosine to the true answer pull in different directions (a contrastive
loss raises the first and lowers the second), so every report holds both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BATCH = 100
"""Candidates of one question: the true answer and 99 others, as in Henderson et al. 2019 (arXiv:1904.06472)."""

BOOTSTRAP_SAMPLES = 1000


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


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Rows of `[n, d]` scaled to length 1; a row of zeros stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)


def one_of_batch(
    questions: np.ndarray, answers: np.ndarray, labels: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which questions find their answer among those of their batch.

    Args:
        questions: float32 `[n, d]`, length 1.
        answers: float32 `[n, d]`, length 1; row i is the true answer of question i.
        labels: int `[n]`, equal for equal answers.
        draws: The batches.

    Returns:
        Three float `[n, draws]`, NaN where the row is in no batch of that draw: by text equality (the best-scored
        answer has the label of the true one), by index (it IS the row of the true one), and the ceiling of the latter
        (the true answer's label occurs once in the batch).
    """
    shape = (len(questions), len(draws.batches))
    by_text, by_index, unique = (np.full(shape, np.nan, dtype=np.float32) for _ in range(3))
    for draw, batches in enumerate(draws.batches):
        for rows in batches:
            best = np.argmax(questions[rows] @ answers[rows].T, axis=1)
            gold = labels[rows]
            by_text[rows, draw] = gold[best] == gold
            by_index[rows, draw] = best == np.arange(len(rows))
            unique[rows, draw] = (gold[:, None] == gold[None, :]).sum(1) == 1
    return by_text, by_index, unique


def reciprocal_ranks(questions: np.ndarray, pool: np.ndarray, gold: np.ndarray, *, chunk: int = 1024) -> np.ndarray:
    """1 / rank of the true answer among all distinct answers.

    Args:
        questions: float32 `[n, d]`, length 1.
        pool: float32 `[m, d]`, length 1, one row a distinct answer.
        gold: int `[n]`, row of the true answer in `pool`.
        chunk: Questions scored at a time.

    Returns:
        float64 `[n]`. Equal scores count against the question: a map that sends everything to one point gains nothing.
    """
    ranks = np.empty(len(questions), dtype=np.float64)
    for start in range(0, len(questions), chunk):
        stop = min(start + chunk, len(questions))
        scores = questions[start:stop] @ pool.T
        own = scores[np.arange(stop - start), gold[start:stop]]
        ranks[start:stop] = (scores >= own[:, None]).sum(1)
    return 1 / ranks


def bootstrap_interval(
    values: np.ndarray, groups: np.ndarray, *, samples: int = BOOTSTRAP_SAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """Mean and its 95 % interval when whole groups (dialogues) are drawn again with replacement.

    Turns of one dialogue are alike; drawing pairs alone would make the interval too narrow.

    Args:
        values: float `[n]` or `[n, draws]`; NaN entries are left out.
        groups: int `[n]`, the dialogue of each row.
        samples: Bootstrap samples.
        seed: Of the samples.

    Returns:
        Mean, lower and upper end (percentile method).
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
    low, high = np.percentile(drawn, [2.5, 97.5])
    return mean, float(low), float(high)
