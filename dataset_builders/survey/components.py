"""Components of dialogues that share pairs: a seeded split that keeps them together separates no pair from its copies.

A pair that most dialogues contain, such as a greeting, would join everything. So the components that are big for their
source, which only train can hold, may have at most train's share of its rows. The most frequent pairs are joined first,
since each of them costs most if it leaks: then the copies outside the latest split are dropped.
"""

from __future__ import annotations

from array import array

import numpy as np

from dataset_builders.text.ragged import distinct

BIG = 0.05
"""Share of a source's rows above which a component is big: it would be half of validation and test or more."""


def big_from(rows: np.ndarray) -> np.ndarray:
    """Number of rows above which a component is big, for sources with so many rows; a single row never is."""
    return np.maximum(BIG * rows, 1)


def sizes_by_source(groups: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Count the rows of each group by source.

    Args:
        groups: Group of each row, integers from 0; shape (n,).
        sources: Source of each row, integers from 0; shape (n,).

    Returns:
        Counts, shape (groups, sources).
    """
    count = int(sources.max(initial=0)) + 1
    return np.bincount(
        groups.astype(np.int64) * count + sources, minlength=(int(groups.max(initial=-1)) + 1) * count
    ).reshape(-1, count)


_FEW = 64
"""Nodes up to which Python is faster than NumPy."""
_ROWS_AT_ONCE = 1 << 14


class Forest:
    """Disjoint sets of nodes.

    Args:
        sizes: Number of rows of each node by source, integers of shape (nodes, sources); changed by `join`.
        totals: Number of rows of each source, those of other nodes included; shape (sources,).
        room: Share of a source's rows that all its big components together may have, 0 to 1.
    """

    def __init__(self, sizes: np.ndarray, totals: np.ndarray, room: float) -> None:
        self._sizes, self._big, self._room = sizes, big_from(totals), room * totals
        self._parent = array("q", range(len(sizes)))  # faster than an array of NumPy for single nodes
        self._parents = np.frombuffer(self._parent, np.int64)  # the same memory
        self._in_big = self._rows_in_big(sizes)

    def join(self, nodes: np.ndarray) -> None:
        """Join the sets of these nodes, integers of shape (n,), unless big sets would have too many rows of a source.

        A greeting that most dialogues contain has a node for each of them.
        """
        few = len(nodes) <= _FEW
        roots = np.array(sorted(set(map(self._root, nodes.tolist())))) if few else distinct(self._roots(nodes))
        if len(roots) == 1:
            return
        joined, before = np.zeros((1, self._sizes.shape[1]), np.int64), 0
        for start in range(0, len(roots), _ROWS_AT_ONCE):
            sizes = self._sizes[roots[start : start + _ROWS_AT_ONCE]]
            joined += sizes.sum(axis=0)
            before += self._rows_in_big(sizes)
        in_big = self._in_big - before + self._rows_in_big(joined)
        if np.any((in_big > self._room) & (in_big > self._in_big)):
            return
        self._in_big, self._sizes[roots[0]] = in_big, joined
        self._parents[roots[1:]] = roots[0]

    def roots(self) -> np.ndarray:
        """Root of each node, its least member; int64 of shape (nodes,)."""
        return self._roots(np.arange(len(self._parents)))

    def _roots(self, nodes: np.ndarray) -> np.ndarray:
        roots = self._parents[nodes]
        while not np.array_equal(upper := self._parents[roots], roots):
            roots = upper
        self._parents[nodes] = roots
        return roots

    def _root(self, node: int) -> int:
        parent = self._parent
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    def _rows_in_big(self, sizes: np.ndarray) -> np.ndarray:
        """Number of rows of each source in the big ones of some sets; int64 of shape (sources,)."""
        return np.where(sizes > self._big, sizes, 0).sum(axis=0)
