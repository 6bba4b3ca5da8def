"""Clusters of utterances: average linkage of the cosine distances between their vectors.

The tree of all merges is computed once and can be cut at a distance or into a number of clusters.

>>> tree = Tree(vectors)  # float32 [n, d]
>>> clusters = tree.cut(distance=0.5)
>>> clusters.labels[:4], clusters.centres.shape
(array([0, 0, 1, 0]), (12, 384))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LIMIT = 8_000
"""Largest number of texts in a tree: it takes n (n - 1) / 2 distances of 8 bytes, twice, .5 GB for 8,000 texts."""

_BLOCK = 256
"""Rows whose distances are computed at a time."""

_DECIMALS = 6
"""Distances are rounded, so that the last bits, which depend on the batch of a text, do not decide on a tie."""


@dataclass(frozen=True)
class Clusters:
    """k clusters of n texts, numbered by the first text of each.

    Attributes:
        labels: Cluster of each text, int64 `[n]`.
        centres: Mean of the vectors of each cluster, scaled to norm 1, float32 `[k, d]`.
        distance: Cosine distance at which the tree was cut.
    """

    labels: np.ndarray
    centres: np.ndarray
    distance: float

    def __len__(self) -> int:
        return len(self.centres)


class Tree:
    """The tree of merges of n texts.

    Above `limit` texts, the tree is that of a random sample, and the other texts join the cluster with the nearest
    centre. A cluster that such a sample lacks is too rare to be shown.

    Args:
        vectors: Vectors of distinct texts, float32 `[n, d]`; n is at least 1.
        limit: Maximum size of the sample. Default: `LIMIT`.
        seed: Seed of the sample.

    Attributes:
        vectors: The vectors, scaled to norm 1.
        mean_distance: Mean cosine distance between two texts of the sample, from 0 to 2.
        size: Number of texts in the tree.
    """

    def __init__(self, vectors: np.ndarray, *, limit: int | None = None, seed: int = 0) -> None:
        limit = limit or LIMIT
        self.vectors = _unit(vectors)
        self._rows = np.arange(len(vectors))
        if len(vectors) > limit:
            self._rows = np.sort(np.random.default_rng(seed).choice(len(vectors), limit, replace=False))
        self.size = len(self._rows)
        distances = _distances(self.vectors[self._rows])
        self.mean_distance = float(distances.mean()) if len(distances) else 0.0
        self._merges: np.ndarray | None = None
        if self.size > 1:
            from scipy.cluster.hierarchy import linkage

            self._merges = linkage(distances, "average")

    def cut(self, *, distance: float | None = None, count: int | None = None) -> Clusters:
        """Cut the tree.

        Args:
            distance: Cosine distance up to which clusters merge.
            count: Number of clusters, in place of a distance; there are fewer if merges tie.
        """
        if self._merges is None:
            labels = np.zeros(1, dtype=np.int64)
        else:
            from scipy.cluster.hierarchy import fcluster

            if count is None:
                labels = fcluster(self._merges, distance, "distance")
            else:
                labels = fcluster(self._merges, count, "maxclust")
                distance = float(self._merges[-count, 2]) if count < self.size else 0.0
        labels = _by_first(labels)
        centres = means(self.vectors[self._rows], labels)
        if self.size < len(self.vectors):
            every = np.empty(len(self.vectors), dtype=np.int64)
            for start in range(0, len(every), _BLOCK):
                every[start : start + _BLOCK] = (self.vectors[start : start + _BLOCK] @ centres.T).argmax(1)
            every[self._rows] = labels
            labels, order = _by_first(every), np.unique(every, return_index=True)
            centres = centres[order[0][np.argsort(order[1], kind="stable")]]
        return Clusters(labels, centres, float(distance or 0.0))


def means(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the mean vector of each group, scaled to norm 1.

    Args:
        vectors: float `[n, d]`.
        labels: Group of each vector, int `[n]`; each number from 0 to the largest occurs.

    Returns:
        float32 `[groups, d]`; zeros for a group whose vectors cancel out.
    """
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, labels, vectors)
    return _unit(sums)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def _distances(vectors: np.ndarray) -> np.ndarray:
    """The cosine distances of all pairs in scipy's condensed form, float64 `[n (n - 1) / 2]`."""
    count = len(vectors)
    distances = np.empty(count * (count - 1) // 2)
    end = 0
    for start in range(0, count, _BLOCK):
        block = vectors[start : start + _BLOCK] @ vectors[start:].T
        for row, cosines in enumerate(block):
            rest = cosines[row + 1 :]
            distances[end : end + len(rest)] = 1 - rest
            end += len(rest)
    return np.round(distances, _DECIMALS, out=distances).clip(0, 2, out=distances)


def _by_first(labels: np.ndarray) -> np.ndarray:
    """Number clusters from 0 in the order of their first texts."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")[inverse].astype(np.int64)
