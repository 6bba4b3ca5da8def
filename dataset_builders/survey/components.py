"""Components of dialogues that share pairs: a seeded split that keeps them together separates no pair from its copies.

A pair that most dialogues contain, such as a greeting, would join everything. So the components that are big for their
source, which only train can hold, may have at most train's share of its rows. The most frequent pairs are joined first,
since each of them costs most if it leaks: then the copies outside the latest split are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builders.survey.leaks import with_twins

BIG = 0.05
"""Share of a source's rows above which a component is big: it would be half of validation and test or more."""


def big_from(rows: np.ndarray) -> np.ndarray:
    """Number of rows above which a component is big, for sources with so many rows; a single row never is."""
    return np.maximum(BIG * rows, 1)


def join_by_pairs(
    groups: np.ndarray, sources: np.ndarray, pairs: np.ndarray, rows: np.ndarray, room: float
) -> np.ndarray:
    """Join groups of dialogues that share a pair, as long as train has room for the big components.

    Args:
        groups: Group of duplicates of each of the n dialogues, shape (n,).
        sources: Source of each dialogue, integers from 0; shape (n,).
        pairs: Hash of each of the m pairs, equal for equal texts; shape (m,).
        rows: Number of each pair's dialogue, shape (m,).
        room: Share of a source's rows that all its big components together may have, 0 to 1.

    Returns:
        Component of each dialogue, shape (n,). Which dialogues share one does not depend on their order.
    """
    if not len(groups):
        return groups
    _, node = np.unique(groups, return_inverse=True)
    forest = _Forest(sizes_by_source(node, sources), room)
    several = with_twins(pairs)
    for nodes in _shared_pairs(node[rows[several]], pairs[several]):
        forest.join(nodes)
    return forest.roots()[node]


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


def _shared_pairs(node: np.ndarray, pairs: np.ndarray) -> Iterator[list[int]]:
    """Nodes of each pair that several nodes contain, the most frequent pair first, then by hash.

    Args:
        node: Node that contains each pair, integers from 0; shape (m,).
        pairs: Hash of each pair, shape (m,).
    """
    hashes, pair = np.unique(pairs, return_inverse=True)
    count = int(node.max(initial=0)) + 1
    places = np.unique(pair * count + node)  # a pair in a node counts once
    nodes, starts = places % count, np.searchsorted(places, np.arange(len(hashes) + 1) * count)
    frequency = np.diff(starts)
    shared = np.flatnonzero(frequency > 1)
    for number in shared[np.lexsort((shared, -frequency[shared]))].tolist():
        yield nodes[starts[number] : starts[number + 1]].tolist()


class _Forest:
    """Disjoint sets of nodes.

    Args:
        sizes: Number of rows of each node by source, shape (nodes, sources).
        room: See `join_by_pairs`.
    """

    def __init__(self, sizes: np.ndarray, room: float) -> None:
        total = sizes.sum(axis=0)
        self._sizes, self._big, self._room = sizes.copy(), big_from(total), room * total
        self._parent: dict[int, int] = {}  # of the nodes that were joined to another
        self._in_big = self._rows_in_big(sizes)

    def join(self, nodes: list[int]) -> None:
        """Join the sets of these nodes, unless the big sets would have too many rows of a source."""
        roots = sorted({self._root(node) for node in nodes})
        if len(roots) == 1:
            return
        sizes = self._sizes[roots]
        joined = sizes.sum(axis=0, keepdims=True)
        in_big = self._in_big - self._rows_in_big(sizes) + self._rows_in_big(joined)
        if np.any((in_big > self._room) & (in_big > self._in_big)):
            return
        self._in_big, self._sizes[roots[0]] = in_big, joined
        for root in roots:
            if root != roots[0]:
                self._parent[root] = roots[0]

    def roots(self) -> np.ndarray:
        """Root of each node, shape (nodes,)."""
        roots = np.arange(len(self._sizes))
        for node in self._parent:
            roots[node] = self._root(node)
        return roots

    def _root(self, node: int) -> int:
        parent = self._parent
        while node in parent:
            parent[node] = parent.get(parent[node], parent[node])
            node = parent[node]
        return node

    def _rows_in_big(self, sizes: np.ndarray) -> np.ndarray:
        """Number of rows of each source in the big ones of some sets; int64 of shape (sources,)."""
        return np.where(sizes > self._big, sizes, 0).sum(axis=0)
