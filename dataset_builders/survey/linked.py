"""Clusters that share pairs are joined into components, the most frequent pairs first; see `components`.

A part finds the clusters with each pair. The joins depend on each other, so one process does all of them: it reads the
pairs block by block, and holds three numbers for each cluster with a shared pair.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array, batches, load
from dataset_builders.survey.assign import JOINED, distinct_pairs
from dataset_builders.survey.clusters import save_names, translate
from dataset_builders.survey.components import Forest
from dataset_builders.survey.fill import TRAIN_SHARE
from dataset_builders.survey.plan import Plan
from dataset_builders.survey.translations import Translations

_NODES_AT_ONCE = 1 << 13
"""Clusters with pairs that are in memory at once for each part, about."""

_MOST = 1 << 20
"""Clusters with a pair from which on it joins none: it says nothing about them."""


def find_links(plan: Plan, part: int) -> int:
    """Task of a part: the clusters that share each pair, the most frequent pairs first, then by hash.

    Returns:
        Number of pairs in too many clusters.
    """
    table, _ = plan.exchange("links").receive(part, len(plan.shards))
    keys, nodes = array(table, "hash"), array(table, "node")
    del table  # the records of a pair that most dialogues contain are all here
    keys, nodes = distinct_pairs(keys, nodes)
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    hashes, counts = keys[starts], np.diff(starts, append=len(keys))
    del keys
    shared = np.flatnonzero((counts > 1) & (counts <= _MOST))
    shared = shared[np.lexsort((shared, -counts[shared]))]
    schema = pa.schema({"count": pa.int64(), "hash": pa.uint64(), "nodes": pa.list_(pa.uint64())})
    with (
        plan.storage.create(_links(part)) as path,
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        ends, start = np.cumsum(counts[shared]), 0
        while start < len(shared):
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + _NODES_AT_ONCE, "right")))
            some, start = shared[start:stop], stop
            offsets = np.concatenate([[0], np.cumsum(counts[some])])
            place = np.repeat(starts[some] - offsets[:-1], counts[some]) + np.arange(offsets[-1])
            lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(nodes[place]))
            writer.write_batch(pa.record_batch([counts[some], hashes[some], lists], schema=schema))
    return int((counts > _MOST).sum())


def join_clusters(plan: Plan, translations: Translations, totals: Sequence[int]) -> None:
    """Join the clusters without a split that share pairs, as long as train has room for the big components.

    Args:
        plan: The plan.
        translations: The clusters that translations join.
        totals: Number of rows without a split of each source.
    """
    linked = np.zeros(0, np.uint64)
    for part in range(plan.parts):
        of_part = [np.unique(batch["nodes"].flatten().to_numpy()) for batch in batches(plan.storage, _links(part))]
        linked = np.unique(np.concatenate([linked, *of_part]))
    sizes = np.zeros((len(linked), len(plan.names)), np.int32)
    for part in range(plan.parts) if len(linked) else ():
        table = load(plan.storage, f"free/{part:05d}")
        groups = translate(array(table, "group"), translations.groups, translations.names)
        place = np.minimum(np.searchsorted(linked, groups), len(linked) - 1)
        here = linked[place] == groups
        np.add.at(sizes, (place[here], array(table, "source")[here]), array(table, "rows")[here])
    forest = Forest(sizes, np.array(totals), TRAIN_SHARE)
    lists = (_pairs(plan, part, linked) for part in range(plan.parts))
    for _, _, nodes in heapq.merge(*lists, key=lambda pair: pair[:2]):
        forest.join(nodes)
    roots = forest.roots()
    joined = roots != np.arange(len(roots))
    save_names(plan, JOINED, linked[joined], linked[roots[joined]])


def _pairs(plan: Plan, part: int, linked: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Pairs of a part in their order: less their number of clusters, their hash, and the places of the clusters."""
    for batch in batches(plan.storage, _links(part)):
        places = np.searchsorted(linked, batch["nodes"].flatten().to_numpy())
        offsets = batch["nodes"].offsets.to_numpy() - batch["nodes"].offsets[0].as_py()
        for row, (count, key) in enumerate(zip(batch["count"].to_pylist(), batch["hash"].to_pylist(), strict=True)):
            yield -count, key, places[offsets[row] : offsets[row + 1]]


def _links(part: int) -> str:
    return f"linked/{part:05d}.arrow"
