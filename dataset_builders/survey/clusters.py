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
Only the matches, 21 bytes each, are in memory at once.
"""

from __future__ import annotations

import mmap

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.chunks import take
from dataset_builders.arrow.exchange import array, batches, load, records, save
from dataset_builders.common.storage import Storage
from dataset_builders.schema import CLUSTERS
from dataset_builders.survey.cluster_graph import KINDS, Edges, components, cut_large, first_members
from dataset_builders.survey.plan import Plan
from dataset_builders.text.near_duplicates import Matches
from dataset_builders.text.normalize import ids_of_hashes

_LABELS, _EDGES = "labels.arrow", "edges.arrow"
_AT_ONCE = 1 << 16
"""Nodes or edges that a task reads at once."""


def label_nodes(plan: Plan) -> None:
    """Find the cluster of each node that matches another one, from the matches of all shards."""
    matches = [_matches(plan, kind) for kind in ("similar", "contained")]
    linked = np.unique(np.concatenate([ends for table in matches for ends in (table.left, table.right)]))
    numbered = [
        Matches(np.searchsorted(linked, m.left), np.searchsorted(linked, m.right), m.similarity) for m in matches
    ]
    edges = Edges.of(numbered)
    stars = cut_large(components(len(linked), edges), edges, plan.config.max_linked)
    labels = first_members(stars)
    save_names(plan, _LABELS, linked, linked[labels])
    within = edges.within(labels)
    columns = {"similarity": within.similarity, "kind": within.kind}
    save(plan.storage, _EDGES, records(node=linked[within.node], other=linked[within.other], **columns), _AT_ONCE)


def _matches(plan: Plan, kind: str) -> Matches:
    columns: list[list[np.ndarray]] = [[np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.float32)]]
    for number in range(len(plan.shards)) if plan.config.near else ():
        table = load(plan.storage, f"edges/{kind}-{number:05d}")
        for column, name in zip(columns, ("node", "other", "similarity"), strict=True):
            column.append(array(table, name))
    return Matches(*map(np.concatenate, columns))


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


def list_members(plan: Plan, results: Storage, part: int) -> None:
    """Task of a range: write the `schema.CLUSTERS` rows of its clusters, by `cluster_id`, then `dialogue_id`.

    Every member but the first of a cluster names the one that it matches best.

    Args:
        plan: The plan.
        results: Where to write.
        part: Number of the range.
    """
    sent, _ = plan.exchange("members").receive(part, len(plan.shards))
    table = sent.append_column("cluster_id", ids_of_hashes(array(sent, "cluster")))
    table = table.sort_by([("cluster_id", "ascending"), ("dialogue_id", "ascending")])
    node = array(table, "node")
    distinct_nodes, first = np.unique(node, return_index=True)
    # a dialogue's nearest one is the first of its node; that one's nearest is the first of the best other node
    nearest, similarity = first[np.searchsorted(distinct_nodes, node)], np.ones(len(node), np.float32)
    kind = np.full(len(node), -1)
    parts = (pa.Table.from_batches([batch]) for batch in batches(plan.storage, _EDGES))
    edges = pa.concat_tables([part.filter(pa.array(np.isin(array(part, "node"), distinct_nodes))) for part in parts])
    matched, best = np.unique(array(edges, "node"), return_index=True)
    rows = first[np.searchsorted(distinct_nodes, matched)]
    nearest[rows] = first[np.searchsorted(distinct_nodes, array(edges, "other")[best])]
    similarity[rows], kind[rows] = array(edges, "similarity")[best], array(edges, "kind")[best]
    clusters = array(table, "cluster")
    is_first = np.append(True, clusters[1:] != clusters[:-1])[: len(clusters)]  # the first of a cluster names none
    columns = {
        **{name: table[name] for name in ("cluster_id", "dialogue_id", "source")},
        "nearest_id": table["dialogue_id"].take(pa.array(nearest, mask=is_first)),
        "similarity": pa.array(similarity, mask=is_first),
        "kind": pa.array(["equal", *KINDS]).take(pa.array(kind + 1, mask=is_first)),
    }
    save(results, members_file(part), pa.table(columns).cast(CLUSTERS.arrow_schema))


def members_file(part: int) -> str:
    """Name of the file with the clusters of a range."""
    return f"members-{part:05d}.arrow"
