"""Folds of pairs without leaks: what is alike in two pairs is left out in the same fold."""

from __future__ import annotations

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs

FOLDS = 5
"""Number of folds, fewer where there are fewer groups (Kohavi 1995 finds 5 to 10 to be a good compromise)."""


def groups_of(pairs: QuestionAnswerPairs, vectors: np.ndarray) -> np.ndarray:
    """Group pairs that must not be divided: of one dialogue, of near-duplicate dialogues, or equal ones.

    Pairs with another question and the same answer may be divided: asked in other words, a question of an FAQ has an
    answer that training knows. With all of its questions left out at once, such an FAQ seems to gain nothing.

    Equal pairs ("Thanks!" -> "You are welcome.") may connect most dialogues; they do not count then.

    Args:
        pairs: n pairs.
        vectors: Their embeddings, float32 `[m + 1, d]`.

    Returns:
        Int64 `[n]`, the smallest row of each pair's group.
    """
    origins = [pairs.dialogues] if pairs.clusters is None else [pairs.dialogues, pairs.clusters]
    _, questions = np.unique(vectors[pairs.questions[:, 0]], axis=0, return_inverse=True)
    _, equal = np.unique(np.stack([questions.ravel(), pairs.labels]), axis=1, return_inverse=True)
    groups = _connected([*origins, equal.ravel()])
    largest = np.unique(groups, return_counts=True)[1].max()
    return groups if largest <= len(pairs) / 2 else _connected(origins)


def divide(groups: np.ndarray, seed: int, folds: int = FOLDS) -> np.ndarray:
    """Divide groups into folds of about equal size.

    Args:
        groups: Group of each of n pairs, int `[n]`.
        seed: Seed of the order in which groups of equal size are dealt.
        folds: Number of folds, at most the number of groups.

    Returns:
        Fold of each pair, int64 `[n]`; all 0 with a single group.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of, filled = np.zeros(len(sizes), np.int64), np.zeros(min(folds, len(sizes)), np.int64)
    order = np.random.default_rng(seed).permutation(len(sizes))
    for number in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[number] = filled.argmin()
        filled[fold_of[number]] += sizes[number]
    return fold_of[group]


def _connected(keys: list[np.ndarray]) -> np.ndarray:
    """Int64 `[n]`: the smallest row that a row is connected to, directly or through others, by an equal key."""
    numbers = [np.unique(key, return_inverse=True)[1] for key in keys]
    smallest = np.arange(len(keys[0]))
    while True:
        before = smallest.copy()
        for number in numbers:
            lowest = np.full(number.max() + 1, len(smallest))
            np.minimum.at(lowest, number, smallest)
            smallest = lowest[number]
        if np.array_equal(before, smallest):
            return smallest
