"""The graph of matching dialogues: its edges, its components, and stars in the place of large components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset_builders.text.near_duplicates import Matches

KINDS = ("jaccard", "containment")
"""Kinds of matches."""


@dataclass(frozen=True)
class Edges:
    """Verified pairs of nodes, each in both directions, sorted by `node` with its best match first.

    Attributes:
        node, other: Numbers of the two nodes, int64 of shape (e,).
        similarity: Jaccard similarity or containment, float32 of shape (e,).
        kind: Kind of the match as an index in `KINDS`, int64 of shape (e,).
    """

    node: np.ndarray
    other: np.ndarray
    similarity: np.ndarray
    kind: np.ndarray

    @classmethod
    def none(cls) -> Edges:
        """No edges."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))

    @classmethod
    def of(cls, by_kind: Sequence[Matches]) -> Edges:
        """Edges from the matches of each of `KINDS`."""
        node = np.concatenate([nodes for m in by_kind for nodes in (m.left, m.right)])
        other = np.concatenate([nodes for m in by_kind for nodes in (m.right, m.left)])
        similarity = np.concatenate([m.similarity for m in by_kind for _ in range(2)])
        kind = np.repeat(np.arange(len(by_kind)), [2 * len(m) for m in by_kind])
        order = np.lexsort((other, kind, -similarity, node))
        return cls(node[order], other[order], similarity[order], kind[order])

    def within(self, labels: np.ndarray) -> Edges:
        """Edges between nodes with the same label."""
        keep = labels[self.node] == labels[self.other]
        return Edges(self.node[keep], self.other[keep], self.similarity[keep], self.kind[keep])


def first_members(labels: np.ndarray) -> np.ndarray:
    """The smallest node with the label of each of n nodes, shape (n,)."""
    smallest = np.full(len(labels), len(labels))
    np.minimum.at(smallest, labels, np.arange(len(labels)))
    return smallest[labels]


def components(count: int, edges: Edges) -> np.ndarray:
    """Label each node with the smallest node of its connected component."""
    labels = np.arange(count)
    while True:
        lower = labels.copy()
        np.minimum.at(lower, edges.node, labels[edges.other])
        lower = lower[lower]
        if np.array_equal(lower, labels):
            return labels
        labels = lower


def cut_large(labels: np.ndarray, edges: Edges, largest: int) -> np.ndarray:
    """Cut components of more than `largest` nodes into stars.

    The node with the most matches becomes the centre of a star with all its matches; then the next free node.
    """
    large = np.flatnonzero(np.bincount(labels, minlength=len(labels))[labels] > largest)
    if not len(large):
        return labels
    starts = np.searchsorted(edges.node, np.arange(len(labels) + 1))
    degree = np.diff(starts)
    labels, free = labels.copy(), np.zeros(len(labels), np.bool_)
    free[large] = True
    for centre in large[np.lexsort((large, -degree[large]))].tolist():
        if free[centre]:
            matches = edges.other[starts[centre] : starts[centre + 1]]
            star = np.append(matches[free[matches]], centre)
            labels[star] = centre
            free[star] = False
    return labels
