"""Metrics of labelled utterances, computed from embeddings or predictions alone: rankings, anisotropy, several labels.

They are those of Dialog2Flow (Burdisso et al. 2024, arXiv:2410.18481) and of DSE (Zhou et al. 2022, arXiv:2205.13568).
"""

from __future__ import annotations

import numpy as np

_SMALLEST_GROUP = 3
"""Number of utterances from which a label has a mean cosine within it, as in Dialog2Flow's code."""


def rank_share(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Compute the share of each label's utterances among the first `counts` of the label's ranking.

    For labels of at least eleven utterances this is what Dialog2Flow reports as NDCG@10. Its code hands scikit-learn
    the relevance of a ranking as 0 and 1 in place of scores, which ties all relevant utterances.

    Args:
        scores: float `[labels, n]`, score of each utterance for each label.
        labels: int `[n]`, from 0 to the number of labels - 1; each label occurs.
        counts: int `[labels]`, number of places considered, at least 1 and at most n.

    Returns:
        float64 `[labels]`. Utterances that tie for the last places share these places equally.
    """
    shares = np.empty(len(scores))
    for label, (row, count) in enumerate(zip(scores, counts, strict=True)):
        last = np.partition(row, len(row) - count)[len(row) - count]
        own = row[labels == label]
        places, tied = count - np.sum(row > last), np.sum(row == last)
        shares[label] = (np.sum(own > last) + np.sum(own == last) * places / tied) / len(own)
    return shares


def cosines_within(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the mean cosine of two utterances of a label, for each label of at least three utterances.

    Args:
        vectors: float `[n, d]`, rows of norm 1.
        labels: int `[n]`, from 0.

    Returns:
        float64, one for each of these labels, in their order.
    """
    sums, counts = _sums(vectors, labels), np.bincount(labels).astype(np.float64)
    several = counts >= _SMALLEST_GROUP
    squares, counts = (sums[several] ** 2).sum(1), counts[several]
    return np.asarray((squares - counts) / (counts * (counts - 1)))


def cosines_between(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the cosines of the mean vectors of all labels.

    Args:
        vectors: float `[n, d]`, rows of norm 1.
        labels: int `[n]`, from 0 to the number of labels - 1; each label occurs.

    Returns:
        float64 `[labels, labels]`. Their mean, without the diagonal, is the anisotropy between labels.
    """
    centroids = _sums(vectors, labels)
    centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-12)
    return np.asarray(centroids @ centroids.T)


def multilabel_counts(references: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count hits, wrong predictions and misses of each label.

    Args:
        references: bool `[n, labels]`, true labels.
        predictions: bool `[n, labels]`, predicted labels.

    Returns:
        int `[labels]` each.
    """
    true, predicted = references.astype(bool), predictions.astype(bool)
    return (true & predicted).sum(0), (~true & predicted).sum(0), (true & ~predicted).sum(0)


def multilabel_f1(hits: np.ndarray, wrong: np.ndarray, missed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute F1 of several labels a row, from the counts of `multilabel_counts`.

    Args:
        hits: Numbers of true labels that are predicted, `[..., labels]`.
        wrong: Numbers of predicted labels that are not true, `[..., labels]`.
        missed: Numbers of true labels that are not predicted, `[..., labels]`.

    Returns:
        Micro F1, over all decisions, and macro F1, the mean over the labels that occur in references or predictions;
        `[...]` each, 0 where there is nothing to count.
    """

    def f1(hits: np.ndarray, wrong: np.ndarray, missed: np.ndarray) -> np.ndarray:
        total = 2 * hits + wrong + missed
        return np.asarray(2 * hits / np.maximum(total, 1))

    occurs = (hits + wrong + missed) > 0
    macro = f1(hits, wrong, missed).sum(-1) / np.maximum(occurs.sum(-1), 1)
    return f1(hits.sum(-1), wrong.sum(-1), missed.sum(-1)), np.asarray(macro)


def _sums(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    sums = np.zeros((labels.max() + 1, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return sums
