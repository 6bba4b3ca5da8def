"""Dialogues of all sources that are duplicates of each other get one `cluster_id`.

Two dialogues are joined when they are

- equal: the same turns but for case, punctuation and spacing (`normalize`);
- similar: Jaccard similarity of their 5-character shingles is at least 0.7;
- contained: utterances with at least 70 % of the words of the shorter one stand word for word in the other.

The second and third hold only for dialogues with something to say (100 distinct shingles, about 20 words), and every
joined pair has its true value. The figures behind the thresholds, on MultiWOZ, CamRest676, WOZ 2.0, SMD, Taskmaster and
SGD (38,646 dialogues): at Jaccard 0.7 the largest cluster has 28 members, coffee orders by the script of Taskmaster-4,
and 99 % of the clusters have at most 5; at 0.6 such orders chain into a cluster of 124. Of CamRest676, 674 dialogues
share a cluster with WOZ 2.0, and all 676 with MultiWOZ.

A cluster is a connected component, so that no verified pair is torn apart: a split by cluster is free of leaks. Chains
are rare: in 911 of 916 components of distinct dialogues one matches all others, and stars alone would tear 55 of 1,588
pairs. Only a component that is too large to be one dialogue's copies is cut into stars, whose members all match their
centre: a corpus made from templates does not become one cluster.

Memory, beside the input: about 200 bytes an utterance and 60 MB for the chunk at work (measured on those corpora and on
a half of them): texts that are new, numbers of all, signatures; at most 200 bytes an utterance more for candidates of
the third kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CLUSTERS
from dataset_builders.text.near_duplicates import (
    BANDS,
    PERMUTATIONS,
    SHINGLE,
    THRESHOLD,
    Matches,
    Ragged,
    ShingledTexts,
    SimilarSets,
    distinct,
    equal_pairs,
    intersections,
    pack,
    unpack,
)
from dataset_builders.text.normalize import group_ids, id_of_hash, normalize, text_hashes

_ROWS_AT_ONCE = 1024
_KINDS = ("jaccard", "containment")

Progress = Callable[[str, int, int], None]
"""Called with what is done now, the steps done, and the steps in all."""


@dataclass(frozen=True)
class ClusterConfig:
    """When dialogues are duplicates.

    Args:
        near: False joins only equal dialogues.
        jaccard: Least Jaccard similarity of the shingles.
        containment: Least part of the shorter dialogue's words, in whole utterances, that the other holds.
        min_shingles: A dialogue with fewer distinct shingles is joined only when equal: "thanks", "you're welcome" is
            no evidence of a common origin.
        rare: An utterance of at most so many distinct dialogues makes them candidates for containment.
        max_linked: Largest connected component of distinct dialogues that is taken as it is.
        shingle: Characters of a shingle.
        permutations: Slots of a MinHash signature.
        bands: Bands of the signature; see `near_duplicates`.
        seed: Of the signatures.
    """

    near: bool = True
    jaccard: float = THRESHOLD
    containment: float = 0.7
    min_shingles: int = 100
    rare: int = 50
    max_linked: int = 50
    shingle: int = SHINGLE
    permutations: int = PERMUTATIONS
    bands: int = BANDS
    seed: int = 0


@dataclass(frozen=True)
class Clusters:
    """Which dialogues belong together.

    Attributes:
        ids: `cluster_id` of every dialogue, 16 hex digits, in the order given; alone in it without a duplicate.
        members: `schema.CLUSTERS` rows of the clusters of two or more, by `cluster_id`, then `dialogue_id`. Every
            member but the first names the one that it matches best.
    """

    ids: pa.Array
    members: pa.Table


def cluster_dialogues(
    dialogue_ids: pa.ChunkedArray,
    sources: pa.ChunkedArray,
    turns: pa.ChunkedArray,
    config: ClusterConfig | None = None,
    progress: Progress | None = None,
    hashes: np.ndarray | None = None,
) -> Clusters:
    """Find the duplicates among dialogues; the result does not depend on their order.

    Args:
        dialogue_ids: n unique strings.
        sources: Source of each, n strings.
        turns: Texts of each in the order spoken, n lists of strings; may be memory-mapped.
        config: When dialogues are duplicates.
        progress: Told what is going on.
        hashes: `text_hashes` of all turns, one dialogue after the other, where they are known already.

    Returns:
        The cluster of each dialogue, and the members of the clusters of two or more.
    """
    config, tell = config or ClusterConfig(), progress or (lambda *_: None)
    tell("equal dialogues", 0, 3)
    spoken, utterances, ids = _encode(turns, hashes)
    # equal dialogues are one node; nodes are in the order of their content's id, which no input order can change
    names, first, nodes = np.unique(_content_ids(spoken, ids), return_index=True, return_inverse=True)
    edges = _Edges.none()
    if config.near:
        edges = _near(spoken.take(first), utterances, config, tell)
    tell("clusters", 3, 3)
    labels = _cut_large(_components(len(names), edges), edges, config.max_linked)
    # a cluster is named after its first node
    label_nodes, label_of = np.unique(labels, return_inverse=True)
    smallest = np.full(len(label_nodes), len(names))
    np.minimum.at(smallest, label_of, np.arange(len(names)))
    named = pa.array(names[smallest[label_of]][nodes].tolist(), pa.string())
    table = pa.table({"cluster_id": named, "dialogue_id": dialogue_ids, "source": sources})
    return Clusters(named, _members(table, nodes, edges.within(labels)))


@dataclass(frozen=True)
class _Edges:
    """Verified pairs of nodes, each in both directions, sorted by `node`, its best partner first."""

    node: np.ndarray
    other: np.ndarray
    similarity: np.ndarray
    kind: np.ndarray

    @classmethod
    def none(cls) -> _Edges:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))

    @classmethod
    def of(cls, by_kind: Sequence[Matches]) -> _Edges:
        """From matches of nodes, one for each of `_KINDS`."""
        node = np.concatenate([side for m in by_kind for side in (m.left, m.right)])
        other = np.concatenate([side for m in by_kind for side in (m.right, m.left)])
        similarity = np.concatenate([m.similarity for m in by_kind for _ in range(2)])
        kind = np.repeat(np.arange(len(by_kind)), [2 * len(m) for m in by_kind])
        order = np.lexsort((other, kind, -similarity, node))
        return cls(node[order], other[order], similarity[order], kind[order])

    def within(self, labels: np.ndarray) -> _Edges:
        """Only the pairs of nodes with the same label."""
        keep = labels[self.node] == labels[self.other]
        return _Edges(self.node[keep], self.other[keep], self.similarity[keep], self.kind[keep])


def _encode(turns: pa.ChunkedArray, hashes: np.ndarray | None) -> tuple[Ragged, pa.Array, np.ndarray]:
    """Each dialogue's utterances as numbers; the distinct normalised utterances that they count; their hashes."""
    texts = pa.chunked_array([chunk.flatten() for chunk in turns.chunks], pa.string())
    if hashes is None:
        hashes = np.concatenate([np.zeros(0, np.uint64), *map(text_hashes, texts.chunks)])
    known, first, found = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)  # counted in the order of the texts, which are read from disk chunk by chunk
    codes, first = np.argsort(order).astype(np.uint32)[found], first[order]
    parts, start = [pa.array([], pa.string())], 0
    for chunk in texts.chunks:
        fresh = first[np.searchsorted(first, start) : np.searchsorted(first, start + len(chunk))] - start
        parts.append(normalize(chunk.take(pa.array(fresh))))
        start += len(chunk)
    utterances = pa.concat_arrays(parts)
    sizes = pc.fill_null(pc.list_value_length(turns), 0).to_numpy().astype(np.int64)
    return Ragged.of(codes, sizes), utterances, known[order]


def _content_ids(spoken: Ragged, hashes: np.ndarray) -> np.ndarray:
    """The 16 hex digits of each dialogue's turns (`normalize.group_ids`)."""
    found: list[str] = []
    for start in range(0, len(spoken), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(spoken)))
        said = hashes[spoken.gather(rows)[0]].tolist()
        found += group_ids([id_of_hash(value) for value in said], spoken.sizes[rows].tolist())
    return np.array(found, "U16")


def _near(spoken: Ragged, utterances: pa.Array, config: ClusterConfig, tell: Progress) -> _Edges:
    """Pairs of nodes that are similar, or one contained in the other."""
    tell("similar dialogues", 1, 3)
    shingles = ShingledTexts(len(spoken), lambda rows: _texts(spoken, utterances, rows), config.shingle)
    sets = SimilarSets(shingles, config.jaccard, permutations=config.permutations, bands=config.bands, seed=config.seed)
    is_rich = sets.sizes >= config.min_shingles
    rich = np.flatnonzero(is_rich)
    similar = sets.matches(rich)
    del sets
    tell("contained dialogues", 2, 3)
    contained = _contained(spoken.where(is_rich).as_sets(), utterances, config)
    contained = Matches(rich[contained.left], rich[contained.right], contained.similarity)
    return _Edges.of([similar, contained])


def _texts(spoken: Ragged, utterances: pa.Array, rows: np.ndarray) -> pa.Array:
    """Some dialogues, each as one text."""
    part = spoken.take(rows)
    turns = pa.ListArray.from_arrays(pa.array(part.offsets, pa.int32()), utterances.take(pa.array(part.values)))
    return pc.binary_join(turns, " ")


def _contained(spoken: Ragged, utterances: pa.Array, config: ClusterConfig) -> Matches:
    """Pairs of which the shorter dialogue's utterances, by words, stand in the other.

    MinHash cannot find them: a dialogue inside one of three times its size has a Jaccard similarity of 1/3. Pairs that
    share an utterance which few dialogues hold are found by sorting the utterances. What shares only frequent ones
    ("Is there anything else?") is talk by the same script, no copy: it is no candidate, which also bounds their number.
    """
    rows = np.repeat(np.arange(len(spoken)), spoken.sizes)
    words = np.asarray(pc.count_substring(utterances, " ")) + 1.0
    total = np.bincount(rows, words[spoken.values], len(spoken))
    held_by = np.bincount(spoken.values, minlength=len(utterances))
    rare = held_by[spoken.values] <= config.rare
    rows, codes = rows[rare], spoken.values[rare]
    chunks = [distinct(pack(rows[a], rows[b])) for a, b in equal_pairs(codes.astype(np.uint64))]
    left, right = unpack(distinct(np.concatenate([np.zeros(0, np.int64), *chunks])))
    share = intersections(spoken, left, right, words) / np.minimum(total[left], total[right])
    true = share >= config.containment
    return Matches(left[true], right[true], share[true].astype(np.float32))


def _components(count: int, edges: _Edges) -> np.ndarray:
    """The smallest node that each node is linked to over any number of edges."""
    labels = np.arange(count)
    while True:
        lower = labels.copy()
        np.minimum.at(lower, edges.node, labels[edges.other])
        lower = lower[lower]
        if np.array_equal(lower, labels):
            return labels
        labels = lower


def _cut_large(labels: np.ndarray, edges: _Edges, largest: int) -> np.ndarray:
    """Components above `largest` as stars: the node with most partners takes all that are free, then the next one."""
    large = np.flatnonzero(np.bincount(labels, minlength=len(labels))[labels] > largest)
    if not len(large):
        return labels
    begins = np.searchsorted(edges.node, np.arange(len(labels) + 1))
    partners = np.diff(begins)
    labels, free = labels.copy(), np.zeros(len(labels), np.bool_)
    free[large] = True
    for centre in large[np.lexsort((large, -partners[large]))].tolist():
        if free[centre]:
            near = edges.other[begins[centre] : begins[centre + 1]]
            star = np.append(near[free[near]], centre)
            labels[star] = centre
            free[star] = False
    return labels


def _members(table: pa.Table, nodes: np.ndarray, edges: _Edges) -> pa.Table:
    """`schema.CLUSTERS` rows from the columns that all dialogues have, their nodes, and the edges within clusters."""
    counts = pc.value_counts(table["cluster_id"])
    shared = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    table = table.append_column("node", pa.array(nodes, pa.int64()))
    table = table.filter(pc.is_in(table["cluster_id"], value_set=shared))
    table = table.sort_by([("cluster_id", "ascending"), ("dialogue_id", "ascending")])
    node = table["node"].to_numpy()
    known, first = np.unique(node, return_index=True)  # the first dialogue of each node
    partner, similarity, kind = (
        first[np.searchsorted(known, node)],
        np.ones(len(node), np.float32),
        np.full(len(node), -1),
    )
    linked, best = np.unique(edges.node, return_index=True)
    rows = first[np.searchsorted(known, linked)]
    partner[rows] = first[np.searchsorted(known, edges.other[best])]
    similarity[rows], kind[rows] = edges.similarity[best], edges.kind[best]
    clusters = table["cluster_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    alone = np.append(True, clusters[1:] != clusters[:-1])[: len(clusters)]  # the first of each cluster names nobody
    columns = {
        **{name: table[name] for name in ("cluster_id", "dialogue_id", "source")},
        "nearest_id": table["dialogue_id"].take(pa.array(partner, mask=alone)),
        "similarity": pa.array(similarity, mask=alone),
        "kind": pa.array(["equal", *_KINDS]).take(pa.array(kind + 1, mask=alone)),
    }
    return pa.table(columns).cast(CLUSTERS.arrow_schema)
