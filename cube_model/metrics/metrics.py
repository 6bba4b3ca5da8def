"""Metrics of response selection, computed from embeddings alone, without a model or a dataset.

This module is their only definition: the command line, the leaderboard and the `evaluate.Metric` classes all call it.
Reports show both the retrieval metrics (1-of-100 accuracy, MRR, recall) and the mean cosine with the true answer,
because the two conflict: a contrastive loss raises the former and lowers the latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Matrix: TypeAlias = Any
"""A float32 matrix `[n, d]`: a numpy array, or a scipy sparse matrix (word weights), which has no type hints."""

BATCH = 100
"""Candidates per question: the true answer and 99 others, as in Henderson et al. 2019 (arXiv:1904.06472)."""

BOOTSTRAP_SAMPLES = 1000

RECALL_AT = (1, 10, 100)
"""Cut-offs k of recall@k among all distinct answers."""


@dataclass(frozen=True)
class Draws:
    """Seeded shuffles cut into batches, created once and shared by all methods under comparison.

    Attributes:
        batches: Row numbers, int `[draws, batches, batch size]`. A draw omits rows that do not fill a batch.
    """

    batches: np.ndarray

    @classmethod
    def of(cls, n: int, *, draws: int = 3, seed: int = 0, size: int = BATCH) -> Draws:
        """Cut `n` rows into batches of `size`, or into a single batch if there are fewer rows."""
        size = min(size, n)
        used = n // size * size
        generator = np.random.default_rng(seed)
        shuffles = [generator.permutation(n)[:used].reshape(-1, size) for _ in range(draws)]
        return cls(np.stack(shuffles))

    @classmethod
    def within(cls, groups: np.ndarray, *, draws: int = 3, seed: int = 0, size: int = BATCH) -> Draws:
        """Draw every batch from a single group, so that negatives share, for example, the question's domain.

        Args:
            groups: Group of each row, int `[n]`. Groups with fewer than `size` rows are omitted.
            draws: Number of shuffles.
            seed: Random seed.
            size: Rows per batch.

        Returns:
            Draws with zero batches if every group is too small.
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
        """Fill batches with whole groups, so that negatives include the other answers of the same dialogue.

        A group that crosses the end of a batch is split.

        Args:
            groups: Group of each row, int `[n]`.
            draws: Number of shuffles.
            seed: Random seed.
            size: Rows per batch; all rows if there are fewer.
        """
        n = len(groups)
        size = min(size, n)
        generator = np.random.default_rng(seed)
        _, group = np.unique(groups, return_inverse=True)
        shuffles = []
        for _ in range(draws):
            position = generator.permutation(group.max() + 1)
            shuffles.append(np.argsort(position[group], kind="stable")[: n // size * size].reshape(-1, size))
        return cls(np.stack(shuffles))


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Scale the rows of `[n, d]` to norm 1; rows of zeros stay zero."""
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(norm, 1e-12)


def scores(questions: Matrix, answers: Matrix) -> np.ndarray:
    """Compute the inner products `[n, m]` of all rows of two dense or sparse matrices."""
    product: Any = questions @ answers.T
    return product if isinstance(product, np.ndarray) else product.toarray()


def one_of_batch(
    questions: Matrix, answers: Matrix, labels: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Test whether each question scores its true answer highest in its batch.

    The score is the inner product, which is the cosine for rows of norm 1. The first of several equal best scores
    wins.

    Args:
        questions: Questions `[n, d]`.
        answers: Answers `[n, d]`; row i is the true answer of question i.
        labels: Answer labels, int `[n]`, equal for equal answers.
        draws: Batches to test.

    Returns:
        Three float arrays `[n, draws]` of 0 and 1, NaN for rows in no batch of a draw. By text: the best answer has
        the label of the true one. By index: the best answer is the very row of the true one. Unique: the true answer's
        label occurs once in the batch, an upper bound of the result by index.
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
    """Compute the 1-of-100 accuracy by text over a single draw, which training uses to select the best epoch."""
    by_text, _, _ = one_of_batch(questions, answers, labels, Draws.of(len(labels), draws=1, seed=seed))
    return float(np.nanmean(by_text))


def gold_ranks(questions: Matrix, pool: Matrix, gold: np.ndarray, *, chunk: int = 1024) -> np.ndarray:
    """Rank each question's true answer among all distinct answers.

    Ties count against the question, so a model that maps everything to one point gains nothing.

    Args:
        questions: Questions `[n, d]`.
        pool: Distinct answers `[m, d]`.
        gold: Row of each true answer in `pool`, int `[n]`.
        chunk: Number of questions scored at a time, which bounds the memory.

    Returns:
        Ranks, int `[n]`; 1 is best.
    """
    ranks = np.empty(len(gold), dtype=np.int64)
    for start in range(0, len(gold), chunk):
        stop = min(start + chunk, len(gold))
        all_scores = scores(questions[start:stop], pool)
        gold_scores = all_scores[np.arange(stop - start), gold[start:stop]]
        ranks[start:stop] = (all_scores >= gold_scores[:, None]).sum(1)
    return ranks


def cosines(questions: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Compute the cosine `[n]` of each question `[n, d]` with its true answer `[n, d]`."""
    return (normalize(questions) * normalize(answers)).sum(1)


def bootstrap(
    values: np.ndarray, groups: np.ndarray, *, samples: int = BOOTSTRAP_SAMPLES, seed: int = 0
) -> tuple[float, np.ndarray]:
    """Compute the mean, and bootstrap means that resample whole groups (dialogues) with replacement.

    Turns of the same dialogue are correlated, so resampling single pairs would make intervals too narrow. Samples
    depend on groups and seed only, not on the values: subtracting the samples of two methods gives a paired comparison.

    Args:
        values: Values, float `[n]` or `[n, draws]`; NaN entries are ignored.
        groups: Dialogue of each row, int `[n]`.
        samples: Number of bootstrap samples.
        seed: Random seed.

    Returns:
        Mean of the values, and bootstrap means, float64 `[samples]`.
    """
    table = values.reshape(len(values), -1).astype(np.float64)
    valid = ~np.isnan(table)
    _, group = np.unique(groups, return_inverse=True)
    sums = np.bincount(group, weights=np.where(valid, table, 0).sum(1))
    counts = np.bincount(group, weights=valid.sum(1).astype(np.float64))
    mean = float(sums.sum() / counts.sum())
    generator = np.random.default_rng(seed)
    means = np.empty(samples)
    for start in range(0, samples, 100):  # [100, groups] at a time bounds the memory
        size = min(100, samples - start)
        weights = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=size)
        # a sample may contain only groups without values: use the overall mean for it
        total = weights @ counts
        means[start : start + size] = np.where(total > 0, (weights @ sums) / np.maximum(total, 1), mean)
    return mean, means


def percentile_interval(means: np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % interval of bootstrap means (percentile method)."""
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_interval(
    values: np.ndarray, groups: np.ndarray, *, samples: int = BOOTSTRAP_SAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """Return the mean with the lower and upper ends of its 95 % interval over groups; see `bootstrap`."""
    mean, means = bootstrap(values, groups, samples=samples, seed=seed)
    return mean, *percentile_interval(means)
