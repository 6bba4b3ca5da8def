"""Clusters of duplicate dialogues over all sources.

Two dialogues are duplicates if they are

- equal: the same turns apart from case, punctuation and spacing (`normalize`);
- similar: the Jaccard similarity of their 5-character shingles is at least 0.7 (`similar`);
- contained: utterances with at least 70 % of the words of the shorter dialogue occur verbatim in the other
  (`contained`).

Similarity and containment apply only to dialogues with enough content (100 distinct shingles, about 20 words) and are
computed exactly for every pair that is joined. The thresholds were chosen on MultiWOZ, CamRest676, WOZ 2.0, SMD,
Taskmaster and SGD (38,646 dialogues). At Jaccard 0.7 the largest cluster has 28 members, coffee orders that follow the
script of Taskmaster-4, and 99 % of the clusters have at most 5; at 0.6 such orders form a chain of 124. Of the 676
dialogues of CamRest676, 674 share a cluster with WOZ 2.0, and all of them with MultiWOZ.

A cluster is a connected component, so every verified pair stays together and a split by cluster has no leaks. Chains
are rare: in 911 of 916 components of distinct dialogues, one dialogue matches all others. Stars around a centre would
separate 55 of 1,588 pairs. Only a component that is too large to be copies of one dialogue is cut into stars, so that
a corpus made from templates does not become a single cluster.

Dialogues with equal texts are one node, which is named by the hash of the texts; a cluster is named by its least node.
The matches are in sorted files. One process joins them: it holds about 50 bytes for each dialogue with a match.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.chunks import take
from dataset_builders.arrow.exchange import array, batches, records, save, save_all
from dataset_builders.arrow.mapped import mapped, release
from dataset_builders.common.storage import Storage
from dataset_builders.schema import CLUSTERS
from dataset_builders.survey.cluster_graph import KINDS, Components, cut_large, first_members, is_large
from dataset_builders.survey.plan import Plan, range_of
from dataset_builders.text.normalize import ids_of_hashes

_LABELS, _BEST, _ADJACENT = "labels.arrow", "best.arrow", "adjacent.arrow"
_AT_ONCE = 1 << 16
"""Nodes or matches that a task reads at once."""
_READ_AT_ONCE = 1 << 23
"""Matches of large components that are in memory at once."""


def send_matches(plan: Plan, ranges: int, number: int) -> None:
    """Task of a shard: send its matches, in both directions, to the ranges of their nodes.

    Args:
        plan: The plan.
        ranges: Number of ranges.
        number: Number of the shard.
    """

    def groups() -> Iterator[tuple[pa.Table, np.ndarray]]:
        for kind, name in enumerate(KINDS):
            for batch in batches(plan.storage, f"edges/{name}-{number:05d}"):
                for node, other in (("node", "other"), ("other", "node")):
                    nodes = batch[node].to_numpy()
                    columns = {"other": batch[other], "similarity": batch["similarity"]}
                    table = records(node=nodes, kind=np.full(len(batch), kind, np.int8), **columns)
                    yield table, range_of(nodes, ranges)

    plan.exchange("matches").send_all(number, groups(), ranges)


def sort_matches(plan: Plan, part: int) -> None:
    """Task of a range: sort the matches by node, the best one of each node first."""
    table, _ = plan.exchange("matches").receive(part, len(plan.shards))
    node, other, similarity, kind = (array(table, name) for name in ("node", "other", "similarity", "kind"))
    order = np.lexsort((other, kind, -similarity, node))
    save(plan.storage, _sorted(part), table.take(pa.array(order)), _AT_ONCE)


def label_nodes(plan: Plan, ranges: int) -> None:
    """Find the cluster of each node that matches another one, and its best match there.

    Args:
        plan: The plan.
        ranges: Number of ranges of sorted matches.
    """
    linked = np.concatenate([np.zeros(0, np.uint64), *(np.unique(node) for node, _, _ in _matches(plan, ranges))])
    linked = np.unique(linked)
    graph, degree = Components(len(linked)), np.zeros(len(linked), np.int64)
    for node, other, _ in _matches(plan, ranges, linked):
        graph.join(node, other)
        degree += np.bincount(node, minlength=len(linked))
    labels = graph.labels
    large = is_large(labels, plan.config.max_linked)
    if large.any():
        labels = first_members(_stars(plan, ranges, linked, labels, np.where(large, degree, 0)))
    save_names(plan, _LABELS, linked, linked[labels])

    def best() -> Iterator[pa.Table]:
        last = -1
        none = np.zeros(0, np.uint64)
        yield records(node=none, kind=none.astype(np.int8), other=none, similarity=none.astype(np.float32))
        for node, other, batch in _matches(plan, ranges, linked):
            within = np.flatnonzero(labels[node] == labels[other])
            nodes, first = np.unique(node[within], return_index=True)
            rows = within[first[nodes != last]]
            last = node[within[-1]] if len(within) else last
            yield pa.table(batch).take(pa.array(rows))

    save_all(plan.storage, _BEST, best(), _AT_ONCE)


def _stars(plan: Plan, ranges: int, linked: np.ndarray, labels: np.ndarray, degree: np.ndarray) -> np.ndarray:
    """Cut large components into stars; the matches of their nodes are in a file.

    Args:
        plan: The plan.
        ranges: Number of ranges of sorted matches.
        linked: Names of the nodes.
        labels: Component of each node.
        degree: Number of matches of each node in a large component, 0 for the others.
    """
    numbered = ((node, other) for node, other, _ in _matches(plan, ranges, linked))
    save_all(plan.storage, _ADJACENT, (records(other=other[degree[node] > 0]) for node, other in numbered))
    starts, maps = np.append(0, np.cumsum(degree)), list[mmap.mmap]()
    others = mapped(plan.storage.fetch(_ADJACENT), maps)["other"]
    read = 0

    def matches(node: int) -> np.ndarray:
        nonlocal read
        read += int(degree[node])
        if read > _READ_AT_ONCE:
            read = 0
            release(maps)
        return others.slice(starts[node], degree[node]).to_numpy()

    return cut_large(labels, degree, matches, plan.config.max_linked)


def _matches(
    plan: Plan, ranges: int, linked: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, pa.RecordBatch]]:
    """The sorted matches, some at once: their nodes, the other ones, and all columns.

    Args:
        plan: The plan.
        ranges: Number of ranges.
        linked: Names of all nodes, ascending, to get the numbers of the nodes instead of their names.
    """
    for part in range(ranges):
        for batch in batches(plan.storage, _sorted(part)):
            node, other = batch["node"].to_numpy(), batch["other"].to_numpy()
            if linked is not None:
                node, other = np.searchsorted(linked, node), np.searchsorted(linked, other)
            yield node, other, batch


def _sorted(part: int) -> str:
    return f"edges/sorted-{part:05d}"


def clusters_of(plan: Plan, contents: np.ndarray) -> np.ndarray:
    """The cluster of each dialogue, named by its least node, after `label_nodes`.

    Args:
        plan: The plan.
        contents: Hash of the texts of each dialogue, uint64 of shape (n,).
    """
    return translated(plan, _LABELS, contents)


def save_names(plan: Plan, file: str, names: np.ndarray, others: np.ndarray) -> None:
    """Write names, ascending, and what they stand for, for `translated`."""
    save(plan.storage, file, records(name=names, other=others), _AT_ONCE)


def translated(plan: Plan, file: str, values: np.ndarray) -> np.ndarray:
    """Replace the values that occur among the names of a file by what they stand for; see `translate`."""
    result = values.copy()
    for batch in batches(plan.storage, file):
        names, others = batch["name"].to_numpy(), batch["other"].to_numpy()
        if len(names):
            place = np.minimum(np.searchsorted(names, values), len(names) - 1)
            here = names[place] == values
            result[here] = others[place[here]]
    return result


def translate(values: np.ndarray, names: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Replace the values that occur in `names`, ascending, by those in the same places of `others`."""
    if not len(names):
        return values
    place = np.minimum(np.searchsorted(names, values), len(names) - 1)
    return np.where(names[place] == values, others[place], values)


def send_members(plan: Plan, number: int, rows: np.ndarray, clusters: np.ndarray, contents: np.ndarray) -> None:
    """Send the members of clusters of two or more to the ranges of their clusters.

    Args:
        plan: The plan.
        number: Number of the shard.
        rows: Numbers of the members in the shard, shape (n,).
        clusters: Cluster of each.
        contents: Hash of the texts of each.
    """
    maps: list[mmap.mmap] = []
    ids = take(plan.table(number, maps)["dialogue_id"], rows)
    source = pa.repeat(plan.names[plan.shards[number].source], len(rows))
    table = records(cluster=clusters, node=contents, dialogue_id=ids, source=source)
    plan.exchange("members").send(number, table, plan.range_of(clusters), plan.ranges)


def list_members(plan: Plan, results: Storage, part: int) -> int:
    """Task of a range: write the `schema.CLUSTERS` rows of its clusters, by `cluster_id`, then `dialogue_id`.

    Every member but the first of a cluster names the one that it matches best.

    Args:
        plan: The plan.
        results: Where to write.
        part: Number of the range.

    Returns:
        Number of rows.
    """
    sent, _ = plan.exchange("members").receive(part, len(plan.shards))
    table = sent.append_column("cluster_id", ids_of_hashes(array(sent, "cluster")))
    table = table.sort_by([("cluster_id", "ascending"), ("dialogue_id", "ascending")])
    node = array(table, "node")
    distinct_nodes, first = np.unique(node, return_index=True)
    # a dialogue's nearest one is the first of its node; that one's nearest is the first of the best other node
    nearest, similarity = first[np.searchsorted(distinct_nodes, node)], np.ones(len(node), np.float32)
    kind = np.full(len(node), -1)
    parts = (pa.Table.from_batches([batch]) for batch in batches(plan.storage, _BEST))
    edges = pa.concat_tables([part.filter(pa.array(np.isin(array(part, "node"), distinct_nodes))) for part in parts])
    rows = first[np.searchsorted(distinct_nodes, array(edges, "node"))]
    nearest[rows] = first[np.searchsorted(distinct_nodes, array(edges, "other"))]
    similarity[rows], kind[rows] = array(edges, "similarity"), array(edges, "kind")
    clusters = array(table, "cluster")
    is_first = np.append(True, clusters[1:] != clusters[:-1])[: len(clusters)]  # the first of a cluster names none
    columns = {
        **{name: table[name] for name in ("cluster_id", "dialogue_id", "source")},
        "nearest_id": table["dialogue_id"].take(pa.array(nearest, mask=is_first)),
        "similarity": pa.array(similarity, mask=is_first),
        "kind": pa.array(["equal", *KINDS]).take(pa.array(kind + 1, mask=is_first)),
    }
    save(results, members_file(part), pa.table(columns).cast(CLUSTERS.arrow_schema))
    return len(table)


def members_file(part: int) -> str:
    """Name of the file with the clusters of a range."""
    return f"members-{part:05d}.arrow"
