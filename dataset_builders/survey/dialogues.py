"""The survey of dialogues: duplicates over all sources, and the decisions about each dialogue and each pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CLUSTERS
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
)
from dataset_builders.survey.parallel import Parallel
from dataset_builders.survey.parsed import ParsedSource, turn_texts
from dataset_builders.survey.rows import Rows, copy_rows
from dataset_builders.survey.splits import TRAIN_SHARE, assign, split_by_row


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
    chunks = [c for p in parsed for c in p.table["turns"].chunks]
    texts = pa.chunked_array([turn_texts(c) for c in chunks], pa.list_(pa.string()))
    sources = pa.chunked_array([c for p in parsed for c in p.table["source"].chunks], pa.string())

    def release() -> None:
        for source in parsed:
            source.release()

    config = cluster_config or ClusterConfig()
    clusters = cluster_dialogues(rows.ids, sources, texts, config, progress, rows.hashes, release)
    release()
    groups = clusters.groups

    # each utterance stands for the pair with this anchor
    row_of = rows.row_of_utterance()
    source_of = rows.source[row_of]
    pairs = pair_hashes(rows.hashes)
    last_turn = np.zeros(len(row_of), bool)
    last_turn[rows.starts[1:][np.diff(rows.starts) > 0] - 1] = True

    def join(free: np.ndarray, groups: np.ndarray) -> np.ndarray:
        place = np.full(len(rows), -1)
        place[free] = np.arange(len(free))
        anchors = np.flatnonzero(~last_turn & (place[row_of] >= 0))
        return join_by_pairs(groups, rows.source[free], pairs[anchors], place[row_of[anchors]], TRAIN_SHARE)

    official, parallel = rows.official_under(policy), Parallel.of(parsed)
    split = assign(official, groups, clusters.ids, rows.ids, rows.source, policy, seed, parallel, join)
    before = split_by_row(official, rows.ids, rows.source, seed)
    undropped = np.where(official >= TRAIN, official, split).astype(np.int8)
    group = parallel.with_splits(group_splits(groups, undropped), undropped)
    pair_split = _pair_splits(split, row_of, last_turn)
    pair_leaks = leaking(pairs, pair_split)
    pair_group = group_splits(pairs, _pair_splits(undropped, row_of, last_turn))

    in_benchmark = np.isin(rows.hashes, benchmark_texts)
    pair_in_benchmark = in_benchmark | np.append(in_benchmark[1:], np.zeros(min(1, len(in_benchmark)), bool))
    is_long = in_benchmark.copy()
    is_long[in_benchmark] = _word_counts(texts, np.flatnonzero(in_benchmark)) > benchmark_words
    row_in_benchmark, benchmark_utterance = np.zeros(len(rows), bool), np.full(len(rows), -1)
    row_in_benchmark[row_of[in_benchmark]] = True
    benchmark_utterance[row_of[is_long][::-1]] = np.flatnonzero(is_long)[::-1]  # the first one of a row is written last
    benchmark_turn = np.where(benchmark_utterance >= 0, benchmark_utterance - rows.starts[:-1], -1)

    leaks = (split == DROPPED) & (official != DROPPED)
    blocking = parallel.blocking(groups, official, group)
    table = rows.table(split, leaks, blocking, group.earliest != group.latest)
    table = table.append_column("cluster_id", clusters.ids)
    table = table.append_column("benchmark", pa.array(row_in_benchmark))
    table = table.append_column("benchmark_turn", pa.array(benchmark_turn, pa.int32()))
    blocking = group_splits(pairs, pair_split).blocking[pair_leaks].tolist()
    pair_table = pa.table(
        {
            "leak": pa.array(pair_leaks),
            "blocking": blocking_ids(pair_leaks, pa.array([rows.pair_id(pair) for pair in blocking], pa.string())),
            # a last turn is no anchor; its hash covers the next dialogue, which must not affect this source's decisions
            "flagged": pa.array((pair_group.earliest != pair_group.latest) & ~last_turn),
            "first_in_benchmark": pa.array(in_benchmark),
            "benchmark": pa.array(pair_in_benchmark & ~last_turn),
        }
    )
    decisions = {}
    for name, start, length in rows.ranges():
        first, end = int(rows.starts[start]), int(rows.starts[start + length])
        decisions[name] = Decisions(copy_rows(table, start, length), copy_rows(pair_table, first, end - first))
    after = np.where(pair_leaks, DROPPED, pair_split) if policy == "leak-free" else pair_split
    benchmark_leaks = pair_in_benchmark & (pair_split >= TRAIN) & (pair_split != TEST)
    return Survey(
        decisions,
        leaks={
            "before": {
                "benchmark": _count_by_source(benchmark_leaks, source_of, rows.names),
                "dialogue": count_leaks(groups, before, rows.source, rows.names),
                "pair": count_leaks(pairs, _pair_splits(before, row_of, last_turn), source_of, rows.names),
                "translated dialogue": parallel.leaks(before, rows.source, rows.names),
            },
            "after": {
                "dialogue": count_leaks(groups, split, rows.source, rows.names),
                "pair": count_leaks(pairs, after, source_of, rows.names),
                "translated dialogue": parallel.leaks(split, rows.source, rows.names),
            },
        },
        duplicates={
            "dialogues": duplicate_matrix(groups, rows.source, rows.names),
            "utterances": duplicate_matrix(rows.hashes, source_of, rows.names),
        },
        members=clusters.members.cast(CLUSTERS.arrow_schema),
    )


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


def _pair_splits(split: np.ndarray, row_of: np.ndarray, last_turn: np.ndarray) -> np.ndarray:
    """Split of the pair with each utterance as its anchor; `DROPPED` for last turns, which have no pair."""
    pair_split = split[row_of]
    return np.where(last_turn | (pair_split == NO_SPLIT), DROPPED, pair_split).astype(np.int8)


def _count_by_source(mask: np.ndarray, source: np.ndarray, names: list[str]) -> dict[str, dict[str, int]]:
    counts = np.bincount(source[mask], minlength=len(names)).tolist()
    return {name: {"train-test": count} for name, count in zip(names, counts, strict=True)}


def _word_counts(texts: pa.ChunkedArray, utterances: np.ndarray) -> np.ndarray:
    """Number of words in the utterances of these numbers."""
    if not len(utterances):
        return np.zeros(0, np.int32)
    flat = pa.chunked_array([chunk.flatten() for chunk in texts.chunks], pa.string())
    return pc.count_substring_regex(flat.take(pa.array(utterances)), r"\S+").to_numpy()
