"""The survey of dialogues: duplicates over all sources, and the decisions about each dialogue and each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS
from dataset_builders.survey.chunks import by_chunk, turn_texts
from dataset_builders.survey.clusters import ClusterConfig, Progress, cluster_dialogues
from dataset_builders.survey.components import join_by_pairs
from dataset_builders.survey.decisions import Decisions, Survey, blocking_ids
from dataset_builders.survey.leaks import (
    DROPPED,
    NO_SPLIT,
    TEST,
    TRAIN,
    SplitPolicy,
    count_leaks,
    duplicate_matrix,
    group_splits,
    leaking,
    with_twins,
)
from dataset_builders.survey.mapped import release_unused
from dataset_builders.survey.parallel import Parallel
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.rows import Rows
from dataset_builders.survey.splits import TRAIN_SHARE, assign, split_by_row
from dataset_builders.text.normalize import ids_of_hashes
from dataset_builders.text.words import word_counts

_UTTERANCES_AT_ONCE = 1 << 18


def survey_dialogues(
    parsed: Sequence[ParsedSource],
    policy: SplitPolicy,
    seed: int,
    benchmark_texts: np.ndarray,
    benchmark_words: int,
    cluster_config: ClusterConfig | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Find duplicates among the dialogues of all sources and decide the split of each one.

    Args:
        parsed: The dialogue sources.
        policy: See `leaks.SplitPolicy`.
        seed: Random seed of the splits of sources without official ones.
        benchmark_texts: Hashes of the test utterances of the intent sets, uint64.
        benchmark_words: Dialogues outside test are dropped if they contain one of more words than this.
        cluster_config: Criteria for duplicate dialogues.
        progress: Called during the search for duplicates.
    """
    rows = Rows.of(parsed)
    turns = pa.chunked_array(
        [c for p in parsed for c in p.table["turns"].chunks], ARROW_SCHEMAS["dialogues"].field("turns").type
    )
    sources = pa.DictionaryArray.from_arrays(rows.source, pa.array(rows.names, pa.string()))

    def release() -> None:
        for source in parsed:
            source.release()

    config = cluster_config or ClusterConfig()
    clusters = cluster_dialogues(rows.ids, sources, turns, config, progress, rows.starts, rows.hashes, release)
    groups = clusters.groups
    pairs = _shared_pairs(rows)

    def join(free: np.ndarray, groups: np.ndarray) -> np.ndarray:
        is_free = np.zeros(len(rows), bool)
        is_free[free] = True
        anchors = is_free[pairs.row]
        place = np.searchsorted(free, pairs.row[anchors])
        return join_by_pairs(groups, rows.source[free], pairs.hashes[anchors], place, TRAIN_SHARE)

    official, parallel = rows.official_under(policy), Parallel.of(parsed)
    split = assign(official, groups, clusters.hashes, rows.ids, rows.source, policy, seed, parallel, join, release)
    before = split_by_row(official, rows.ids, rows.source, seed, release)
    release_unused()
    undropped = np.where(official >= TRAIN, official, split).astype(np.int8)
    group = parallel.with_splits(group_splits(groups, undropped), undropped)
    flagged, blocking = group.earliest != group.latest, parallel.blocking(groups, official, group)
    pair_split = pairs.split(split)
    pair_group, official_pairs = (group_splits(pairs.hashes, s) for s in (pair_split, pairs.split(undropped)))
    pair_leaks = leaking(pairs.hashes, pair_split)
    pair_flagged = official_pairs.earliest != official_pairs.latest
    leaks = (split == DROPPED) & (official != DROPPED)
    benchmark = _Benchmark.of(rows, turns, benchmark_texts, benchmark_words)
    decisions = {}
    for name, start, length in rows.ranges():
        here = slice(start, start + length)
        table = rows.table(split[here], leaks[here], blocking[here], flagged[here])
        table = table.append_column("cluster_id", ids_of_hashes(clusters.hashes[here]))
        table = table.append_column("benchmark", pa.array(benchmark.rows[here]))
        table = table.append_column("benchmark_turn", pa.array(benchmark.turn[here], pa.int32()))
        first, end = int(rows.starts[start]), int(rows.starts[start + length])
        shared = slice(*np.searchsorted(pairs.anchor, [first, end]).tolist())
        place, leak, flag = pairs.anchor[shared] - first, np.zeros(end - first, bool), np.zeros(end - first, bool)
        leak[place], flag[place] = pair_leaks[shared], pair_flagged[shared]
        others = pairs.anchor[pair_group.blocking[shared][pair_leaks[shared]]]
        pair_table = pa.table(
            {
                "leak": pa.array(leak),
                "blocking": blocking_ids(leak, rows.pair_ids(others)),
                "flagged": pa.array(flag),
                "first_in_benchmark": pa.array(benchmark.utterances[first:end]),
                "benchmark": pa.array(benchmark.pairs[first:end]),
            }
        )
        decisions[name] = Decisions(table, pair_table)
        release()
    after = np.where(pair_leaks, DROPPED, pair_split) if policy == "leak-free" else pair_split
    utterances = with_twins(rows.hashes)
    spoken = rows.spoken()
    return Survey(
        decisions,
        leaks={
            "before": {
                "benchmark": _count_by_source(benchmark.leaks(rows, split), rows.names),
                "dialogue": count_leaks(groups, before, rows.source, rows.names),
                "pair": count_leaks(pairs.hashes, pairs.split(before), pairs.source, rows.names, spoken),
                "translated dialogue": parallel.leaks(before, rows.source, rows.names),
            },
            "after": {
                "dialogue": count_leaks(groups, split, rows.source, rows.names),
                "pair": count_leaks(pairs.hashes, after, pairs.source, rows.names, spoken),
                "translated dialogue": parallel.leaks(split, rows.source, rows.names),
            },
        },
        duplicates={
            "dialogues": duplicate_matrix(groups, rows.source, rows.names),
            "utterances": duplicate_matrix(rows.hashes[utterances], rows.source[rows.row_of(utterances)], rows.names),
        },
        members=clusters.members.cast(CLUSTERS.arrow_schema),
    )


@dataclass(frozen=True)
class _SharedPairs:
    """The pairs that occur several times; all others neither leak nor join anything.

    Attributes:
        anchor: Number of the anchor's utterance, ascending; int64 of shape (m,).
        row: Number of its row, int64 of shape (m,).
        source: Source of the row as an index, shape (m,).
        hashes: `pair_hashes`, uint64 of shape (m,).
    """

    anchor: np.ndarray
    row: np.ndarray
    source: np.ndarray
    hashes: np.ndarray

    def split(self, rows: np.ndarray) -> np.ndarray:
        """The split of each pair from those of all rows, int8 of shape (m,); `DROPPED` without one."""
        split = rows[self.row]
        return np.where(split == NO_SPLIT, DROPPED, split).astype(np.int8)


def _shared_pairs(rows: Rows) -> _SharedPairs:
    hashes = pair_hashes(rows.hashes)
    anchor = with_twins(hashes)
    row = rows.row_of(anchor)
    # a last turn is no anchor; its hash covers the next dialogue
    is_anchor = anchor + 1 < rows.starts[row + 1]
    anchor, row = anchor[is_anchor], row[is_anchor]
    return _SharedPairs(anchor, row, rows.source[row], hashes[anchor])


@dataclass(frozen=True)
class _Benchmark:
    """Test utterances of the intent sets in the dialogues.

    Attributes:
        utterances: Whether each utterance is one, bool of shape (m,).
        pairs: Whether the pair with each utterance as its anchor contains one, bool of shape (m,).
        rows: Whether each dialogue contains one, bool of shape (n,).
        turn: Index of the first turn with more words than allowed that is one, -1 if there is none; int32 of
            shape (n,).
    """

    utterances: np.ndarray
    pairs: np.ndarray
    rows: np.ndarray
    turn: np.ndarray

    @classmethod
    def of(cls, rows: Rows, turns: pa.ChunkedArray, benchmark: np.ndarray, words: int) -> _Benchmark:
        """Find them.

        Args:
            rows: All dialogues.
            turns: Their turns, n lists.
            benchmark: Hashes of the test utterances, uint64.
            words: Number of words that a turn may have for `turn` not to count it.
        """
        utterances, pairs = np.zeros(len(rows.hashes), bool), np.zeros(len(rows.hashes), bool)
        found_in, turn = np.zeros(len(rows), bool), np.full(len(rows), -1, np.int32)
        result = cls(utterances, pairs, found_in, turn)
        if not len(benchmark):
            return result
        for start in range(0, len(utterances), _UTTERANCES_AT_ONCE):
            part = slice(start, start + _UTTERANCES_AT_ONCE)
            utterances[part] = np.isin(rows.hashes[part], benchmark)
        numbers = np.flatnonzero(utterances)
        row = rows.row_of(numbers)
        found_in[row] = True
        is_anchor = numbers + 1 < rows.starts[row + 1]
        pairs[numbers[is_anchor]] = True
        is_positive = numbers > rows.starts[row]
        pairs[numbers[is_positive] - 1] = True
        is_long = _word_counts(turns, row, numbers - rows.starts[row]) > words
        within = (numbers - rows.starts[row])[is_long].astype(np.int32)
        turn[row[is_long][::-1]] = within[::-1]  # the first one of a row is written last
        return result

    def leaks(self, rows: Rows, split: np.ndarray) -> np.ndarray:
        """Source of each pair outside test that contains one, as an index; for the splits of all rows."""
        row = rows.row_of(np.flatnonzero(self.pairs))
        return rows.source[row[(split[row] >= TRAIN) & (split[row] != TEST)]]


def pair_hashes(hashes: np.ndarray) -> np.ndarray:
    """Hash each utterance together with the next one.

    Args:
        hashes: Hashes of the utterances, uint64 of shape (m,).

    Returns:
        Hashes of the pairs, uint64 of shape (m,); equal for equal pairs of texts. The last has no second utterance.
    """
    following = np.append(hashes[1:], np.zeros(min(1, len(hashes)), np.uint64))
    # an odd multiplier and a shift keep (a, b) apart from (b, a); with 64 bits, the probability of a collision among
    # 10^6 pairs is 10^-8
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15) ^ (following >> np.uint64(29))
    return mixed + following * np.uint64(0xC2B2AE3D27D4EB4F)


def _count_by_source(source: np.ndarray, names: list[str]) -> dict[str, dict[str, int]]:
    counts = np.bincount(source, minlength=len(names)).tolist()
    return {name: {"train-test": count} for name, count in zip(names, counts, strict=True)}


def _word_counts(turns: pa.ChunkedArray, row: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Number of words in some turns, by the numbers of their dialogues, ascending, and their indices there."""
    counts = [np.zeros(0, np.int64)]
    for chunk, rows, here in by_chunk(turns, row):
        texts = turn_texts(chunk)
        place = texts.offsets.to_numpy()[rows] + index[here]
        counts.append(word_counts(texts.values.take(pa.array(place))))
    return np.concatenate(counts)
