"""Clusters of duplicate dialogues over all sources.

Two dialogues are duplicates if they are

- equal: the same turns apart from case, punctuation and spacing (`normalize`);
- similar: the Jaccard similarity of their 5-character shingles is at least 0.7;
- contained: utterances with at least 70 % of the words of the shorter dialogue occur verbatim in the other.

Similarity and containment apply only to dialogues with enough content (100 distinct shingles, about 20 words) and are
computed exactly for every pair that is joined. The thresholds were chosen on MultiWOZ, CamRest676, WOZ 2.0, SMD,
Taskmaster and SGD (38,646 dialogues). At Jaccard 0.7 the largest cluster has 28 members, coffee orders that follow the
script of Taskmaster-4, and 99 % of the clusters have at most 5; at 0.6 such orders form a chain of 124. Of the 676
dialogues of CamRest676, 674 share a cluster with WOZ 2.0, and all of them with MultiWOZ.

A cluster is a connected component, so every verified pair stays together and a split by cluster has no leaks. Chains
are rare: in 911 of 916 components of distinct dialogues, one dialogue matches all others. Stars around a centre would
separate 55 of 1,588 pairs. Only a component that is too large to be copies of one dialogue is cut into stars, so that
a corpus made from templates does not become a single cluster.

Memory in addition to the input: about 60 bytes per dialogue (numbers and hashes), 8 bytes per utterance of dialogues
with enough content, and 60 MB for the current chunk, plus 100 bytes per utterance that several dialogues share. Texts
are read chunk by chunk, in the order of the rows, and again for candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CLUSTERS
from dataset_builders.survey.chunks import by_chunk, take, turn_texts
from dataset_builders.survey.cluster_graph import KINDS, Edges, components, cut_large, first_members
from dataset_builders.survey.leaks import with_twins
from dataset_builders.survey.mapped import release_unused
from dataset_builders.text.near_duplicates import (
    BANDS,
    PERMUTATIONS,
    SHINGLE,
    THRESHOLD,
    Matches,
    ShingledTexts,
    SimilarSets,
    equal_pairs,
    intersections,
)
from dataset_builders.text.normalize import group_hashes, ids_of_hashes, normalize, text_hashes
from dataset_builders.text.ragged import Ragged, distinct, pack, unpack
from dataset_builders.text.words import word_counts

_ROWS_AT_ONCE = 1024
_CHUNKS_AT_ONCE = 32
_SHARED_AT_ONCE = 1 << 16
"""Pairs whose utterances are in memory at once; fewer would read those of most dialogues again and again."""
_TURNS_AT_ONCE = 1 << 18
"""Turns of these pairs above which fewer pairs are taken."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the current step, the number of steps done and their total."""


@dataclass(frozen=True)
class ClusterConfig:
    """Criteria for duplicate dialogues.

    Args:
        near: Whether similar and contained dialogues are duplicates; if False, only equal ones are.
        jaccard: Minimum Jaccard similarity of the shingles, in (0, 1].
        containment: Minimum share of the shorter dialogue's words, in whole utterances, that the other contains, in
            (0, 1].
        min_shingles: Minimum number of distinct shingles for similarity and containment. Short dialogues such as
            "thanks", "you're welcome" are no evidence of a common origin.
        rare: Maximum number of distinct dialogues with an utterance for it to make them candidates for containment.
        max_linked: Maximum number of distinct dialogues in a connected component that is not cut into stars.
        shingle: Number of characters of a shingle.
        permutations: Number of slots of a MinHash signature.
        bands: Number of bands of a signature; see `near_duplicates`.
        seed: Random seed of the signatures.
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
    """Clusters of dialogues.

    Attributes:
        hashes: Hash of each of the n dialogues' clusters, uint64 of shape (n,); in 16 hex digits (`id_of_hash`), it is
            the `cluster_id`. A dialogue without duplicates has its own.
        groups: A number for each dialogue, the same within a cluster; int32 of shape (n,).
        members: Members of the clusters of two or more (`schema.CLUSTERS`), by `cluster_id`, then `dialogue_id`. Every
            member but the first names the one that it matches best.
    """

    hashes: np.ndarray
    groups: np.ndarray
    members: pa.Table

    @property
    def ids(self) -> pa.Array:
        """`cluster_id` of each dialogue, n strings."""
        return ids_of_hashes(self.hashes)


def cluster_dialogues(
    dialogue_ids: pa.ChunkedArray,
    sources: pa.Array | pa.ChunkedArray,
    turns: pa.ChunkedArray,
    config: ClusterConfig | None = None,
    progress: Progress | None = None,
    starts: np.ndarray | None = None,
    hashes: np.ndarray | None = None,
    release: Callable[[], None] = lambda: None,
) -> Clusters:
    """Cluster duplicate dialogues; the result does not depend on their order.

    Args:
        dialogue_ids: Dialogue ids, n unique strings.
        sources: Source of each dialogue, n strings, possibly as a dictionary.
        turns: Turns of each dialogue in order, n lists of texts or of the structs of `schema`; may be memory-mapped.
        config: Criteria for duplicates.
        progress: Called at the start of each step.
        starts: Bounds of each dialogue's turns in `hashes`, int64 of shape (n + 1,); computed if None.
        hashes: `text_hashes` of the turns of all dialogues in order, uint64 of shape (m,); computed if None.
        release: Called after each chunk of texts, to return memory-mapped pages to the system.
    """
    config, progress = config or ClusterConfig(), progress or (lambda *_: None)
    progress("equal dialogues", 0, 3)
    spoken = _Spoken.of(turns, starts, hashes, release)
    # equal dialogues are one node; nodes are sorted by the id of their content, whatever the order of the input
    contents, first, nodes = _distinct_contents(spoken.content_hashes())
    edges = Edges.none()
    if config.near:
        order = np.argsort(first).astype(np.int32)  # texts are read in the order of the rows
        edges = _near(spoken, first[order], order, config, progress)
        del order
    del first
    progress("clusters", 3, 3)
    linked, number = np.unique(edges.node, return_inverse=True)  # all other nodes are clusters by themselves
    local = Edges(number, np.searchsorted(linked, edges.other), edges.similarity, edges.kind)
    stars = cut_large(components(len(linked), local), local, config.max_linked)
    labels = np.arange(len(contents), dtype=np.int32)
    labels[linked] = linked[first_members(stars)]  # a cluster is named after its first node
    groups = labels[nodes]
    shared = with_twins(groups)
    columns = {
        "cluster_id": ids_of_hashes(contents[groups[shared]]),
        "dialogue_id": take(dialogue_ids, shared),
        "source": sources.take(pa.array(shared)).cast(pa.string()),
    }
    release()
    release_unused()
    members = _members(pa.table(columns), nodes[shared], edges.within(labels))
    return Clusters(contents[groups], groups, members)


def _distinct_contents(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`np.unique` with index and inverse, in a third of the memory.

    Args:
        hashes: Hash of each dialogue's content, uint64 of shape (n,).

    Returns:
        The distinct ones, ascending; the first row of each and the number of each row's one, both int32.
    """
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    ordered = hashes[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    nodes = np.empty(len(order), np.int32)
    nodes[order] = np.cumsum(is_first, dtype=np.int32) - 1
    return ordered[is_first], order[is_first], nodes


@dataclass(frozen=True)
class _Spoken:
    """The utterances of n dialogues.

    Attributes:
        turns: Turns of each dialogue, n lists of texts or structs; may be memory-mapped.
        starts: Bounds of each dialogue's utterances in `hashes`, int64 of shape (n + 1,).
        hashes: `text_hashes` of all utterances, uint64 of shape (m,).
        release: Returns memory-mapped pages to the system.
    """

    turns: pa.ChunkedArray
    starts: np.ndarray
    hashes: np.ndarray
    release: Callable[[], None]

    @classmethod
    def of(
        cls,
        turns: pa.ChunkedArray,
        starts: np.ndarray | None,
        hashes: np.ndarray | None,
        release: Callable[[], None],
    ) -> _Spoken:
        """The utterances of the lists of texts; bounds and hashes are computed if None."""
        if hashes is None:
            hashes = np.concatenate([np.zeros(0, np.uint64), *(text_hashes(chunk.flatten()) for chunk in turns.chunks)])
        if starts is None:
            starts = np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(turns), 0).to_numpy())])
        return cls(turns, starts.astype(np.int64, copy=False), hashes, release)

    def content_hashes(self) -> np.ndarray:
        """Hash of each dialogue's turns (`normalize.group_hashes`), uint64 of shape (n,)."""
        parts = [np.zeros(0, np.uint64)]
        for start in range(0, len(self.starts) - 1, _ROWS_AT_ONCE):
            bounds = self.starts[start : start + _ROWS_AT_ONCE + 1]
            parts.append(group_hashes(self.hashes[bounds[0] : bounds[-1]], np.diff(bounds)))
        return np.concatenate(parts)

    def turns_of(self, rows: np.ndarray) -> pa.ListArray:
        """The normalised turns of the dialogues of these numbers, ascending."""
        parts = [pa.array([], pa.list_(pa.string()))]
        for chunk, numbers, _ in by_chunk(self.turns, rows):
            texts = turn_texts(chunk) if pa.types.is_struct(chunk.type.value_type) else chunk
            parts.append(texts.take(pa.array(numbers)))
            if len(parts) % _CHUNKS_AT_ONCE == 0:
                self.release()
        turns = pa.concat_arrays(parts)
        self.release()
        return pa.ListArray.from_arrays(turns.offsets, normalize(turns.values))

    def shared_of(self, rows: np.ndarray) -> Ragged:
        """As `hashes_of`, without the utterances that occur once in these dialogues."""
        selected = np.zeros(len(self.starts) - 1, bool)
        selected[rows] = True
        sizes = np.diff(self.starts)
        hashes = self.hashes[np.repeat(selected, sizes)]
        shared = with_twins(hashes)
        owner = np.searchsorted(np.cumsum(sizes[rows]), shared, "right")
        values = np.unique(hashes[shared], return_inverse=True)[1].astype(np.uint32)
        return Ragged.of(values, np.bincount(owner, minlength=len(rows)))

    def hashes_of(self, rows: np.ndarray) -> Ragged:
        """The utterance hashes of the dialogues of these numbers, as numbers of distinct ones."""
        hashes, _ = Ragged(self.hashes, self.starts).gather(rows)
        return Ragged.of(np.unique(hashes, return_inverse=True)[1].astype(np.uint32), np.diff(self.starts)[rows])


def _near(spoken: _Spoken, rows: np.ndarray, nodes: np.ndarray, config: ClusterConfig, progress: Progress) -> Edges:
    """Pairs of nodes that are similar, or of which one is contained in the other.

    Args:
        spoken: All utterances.
        rows: A dialogue of each node, ascending.
        nodes: Number of its node.
        config: Criteria for duplicates.
        progress: Called at the start of each step.
    """
    progress("similar dialogues", 1, 3)
    shingles = ShingledTexts(len(rows), lambda of: pc.binary_join(spoken.turns_of(rows[of]), " "), config.shingle)
    with SimilarSets(
        shingles,
        config.jaccard,
        permutations=config.permutations,
        bands=config.bands,
        seed=config.seed,
        min_size=config.min_shingles,
    ) as sets:
        similar, rich = sets.matches(), sets.rows
    release_unused()
    progress("contained dialogues", 2, 3)
    contained = _contained(spoken, rows[rich], config)
    return Edges.of(
        [
            Matches(nodes[similar.left], nodes[similar.right], similar.similarity),
            Matches(nodes[rich[contained.left]], nodes[rich[contained.right]], contained.similarity),
        ]
    )


def _contained(spoken: _Spoken, rows: np.ndarray, config: ClusterConfig) -> Matches:
    """Pairs in which one dialogue contains most utterances of the other, weighted by words.

    MinHash cannot find these pairs: a dialogue within another of three times its size has a Jaccard similarity of 1/3.
    Instead, two dialogues are candidates if they share an utterance that few dialogues contain. Dialogues that share
    only frequent ones ("Is there anything else?") follow the same script but are no copies; excluding them also limits
    the number of candidates.

    Args:
        spoken: All utterances.
        rows: Numbers of the dialogues to compare, ascending.
        config: Criteria for duplicates.
    """
    utterances = spoken.shared_of(rows).as_sets()
    owner = np.repeat(np.arange(len(rows), dtype=np.uint32), utterances.sizes)
    frequency = np.bincount(utterances.values)[utterances.values]
    rare = (frequency > 1) & (frequency <= config.rare)
    owner, codes = owner[rare], utterances.values[rare]
    chunks = [distinct(pack(owner[a].astype(np.int64), owner[b].astype(np.int64))) for a, b in equal_pairs(codes)]
    left, right = unpack(distinct(np.concatenate([np.zeros(0, np.int64), *chunks])))
    parts, sizes, start = [np.zeros(0)], np.diff(spoken.starts)[rows], 0
    while start < len(left):
        count = _SHARED_AT_ONCE
        while (
            count > 1
            and sizes[np.union1d(left[start : start + count], right[start : start + count])].sum() > _TURNS_AT_ONCE
        ):
            count //= 2
        parts.append(_shares(spoken, rows, left[start : start + count], right[start : start + count]))
        start += count
    share = np.concatenate(parts)
    keep = share >= config.containment
    return Matches(left[keep], right[keep], share[keep].astype(np.float32))


def _shares(spoken: _Spoken, rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of the shorter dialogue's words, in whole utterances, that the other contains; shape (pairs,)."""
    places = np.unique(np.concatenate([left, right]))
    left, right = np.searchsorted(places, left), np.searchsorted(places, right)
    utterances = spoken.hashes_of(rows[places])
    words = np.zeros(int(utterances.values.max(initial=0)) + 1)
    words[utterances.values] = np.maximum(word_counts(spoken.turns_of(rows[places]).values), 1)
    sets = utterances.as_sets()
    total = np.bincount(np.repeat(np.arange(len(sets)), sets.sizes), words[sets.values], len(sets))
    return intersections(sets, left, right, words) / np.minimum(total[left], total[right])


def _members(table: pa.Table, nodes: np.ndarray, edges: Edges) -> pa.Table:
    """Build the `schema.CLUSTERS` rows.

    Args:
        table: `cluster_id`, `dialogue_id` and `source` of the n dialogues in clusters of two or more.
        nodes: Node of each dialogue, shape (n,).
        edges: Edges within clusters.
    """
    table = table.append_column("node", pa.array(nodes, pa.int64()))
    table = table.sort_by([("cluster_id", "ascending"), ("dialogue_id", "ascending")])
    node = table["node"].to_numpy()
    distinct_nodes, first = np.unique(node, return_index=True)
    # a dialogue's nearest one is the first of its node; that one's nearest is the first of the best other node
    nearest, similarity = first[np.searchsorted(distinct_nodes, node)], np.ones(len(node), np.float32)
    kind = np.full(len(node), -1)
    matched, best = np.unique(edges.node, return_index=True)
    rows = first[np.searchsorted(distinct_nodes, matched)]
    nearest[rows] = first[np.searchsorted(distinct_nodes, edges.other[best])]
    similarity[rows], kind[rows] = edges.similarity[best], edges.kind[best]
    clusters = table["cluster_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    is_first = np.append(True, clusters[1:] != clusters[:-1])[: len(clusters)]  # the first of a cluster names none
    columns = {
        **{name: table[name] for name in ("cluster_id", "dialogue_id", "source")},
        "nearest_id": table["dialogue_id"].take(pa.array(nearest, mask=is_first)),
        "similarity": pa.array(similarity, mask=is_first),
        "kind": pa.array(["equal", *KINDS]).take(pa.array(kind + 1, mask=is_first)),
    }
    return pa.table(columns).cast(CLUSTERS.arrow_schema)
