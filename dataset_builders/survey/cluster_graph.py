"""The graph of matching dialogues: its components, and stars in the place of large components."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

KINDS = ("jaccard", "containment")
"""Kinds of matches."""


def first_members(labels: np.ndarray) -> np.ndarray:
    """The smallest node with the label of each of n nodes, shape (n,)."""
    smallest = np.full(len(labels), len(labels))
    np.minimum.at(smallest, labels, np.arange(len(labels)))
    return smallest[labels]


class Components:
    """Connected components of a graph whose edges come some at once.

    Args:
        count: Number of nodes.

    Attributes:
        labels: The smallest node of the component of each node, int64 of shape (count,).

    Example:
        >>> components = Components(4)
        >>> components.join(np.array([3]), np.array([1]))
        >>> components.labels
        array([0, 1, 2, 1])
    """

    def __init__(self, count: int) -> None:
        self.labels = np.arange(count)

    def join(self, node: np.ndarray, other: np.ndarray) -> None:
        """Add edges between nodes, integers of shape (n,)."""
        a, b = self.labels[node], self.labels[other]
        apart = a != b
        if not apart.any():
            return
        roots, ends = np.unique(np.concatenate([a[apart], b[apart]]), return_inverse=True)
        a, b = ends[: len(ends) // 2], ends[len(ends) // 2 :]
        labels = np.arange(len(roots))
        while True:
            lower = labels.copy()
            np.minimum.at(lower, a, labels[b])
            np.minimum.at(lower, b, labels[a])
            lower = lower[lower]
            if np.array_equal(lower, labels):
                break
            labels = lower
        self.labels[roots] = roots[labels]
        self.labels = self.labels[self.labels]


def cut_large(labels: np.ndarray, degree: np.ndarray, matches: Callable[[int], np.ndarray], largest: int) -> np.ndarray:
    """Cut components of more than `largest` nodes into stars.

    The node with the most matches becomes the centre of a star with all its matches; then the next free node.

    Args:
        labels: Component of each of n nodes.
        degree: Number of matches of each node, shape (n,).
        matches: Returns the nodes that match a node.
        largest: Number of nodes of a component that stays whole.
    """
    large = np.flatnonzero(is_large(labels, largest))
    labels, free = labels.copy(), np.zeros(len(labels), np.bool_)
    free[large] = True
    for centre in large[np.lexsort((large, -degree[large]))].tolist():
        if free[centre]:
            others = matches(centre)
            star = np.append(others[free[others]], centre)
            labels[star] = centre
            free[star] = False
    return labels


def is_large(labels: np.ndarray, largest: int) -> np.ndarray:
    """Whether the component of each of n nodes has more than `largest`, bool of shape (n,)."""
    return np.bincount(labels, minlength=len(labels))[labels] > largest
