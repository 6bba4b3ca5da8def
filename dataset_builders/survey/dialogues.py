"""Duplicates among the dialogues of all sources, and what follows for each dialogue and each pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CLUSTERS
from dataset_builders.survey.clusters import ClusterConfig, Progress, cluster_dialogues
from dataset_builders.survey.decisions import Decisions, Survey, blocking_ids
from dataset_builders.survey.leaks import (
    LEFT_OUT,
    NO_SPLIT,
    TEST,
    TRAIN,
    SplitPolicy,
    count_leaks,
    duplicate_matrix,
    leaking,
    sides,
)
from dataset_builders.survey.parsed import ParsedSource, turn_texts
from dataset_builders.survey.rows import Rows, part
from dataset_builders.survey.splits import assign, seeded_splits


def survey_dialogues(
    parsed: Sequence[ParsedSource],
    policy: SplitPolicy,
    seed: int,
    benchmark_texts: np.ndarray,
    benchmark_words: int,
    cluster_config: ClusterConfig | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Find duplicates among the dialogues of all sources and decide where each one goes.

    Args:
        parsed: The dialogue sources.
        policy: See `leaks.SplitPolicy`.
        seed: Of the splits of sources that have none.
        benchmark_texts: uint64: hashes of the test utterances of the intent sets.
        benchmark_words: A dialogue outside test that says one of more words than this is left out.
        cluster_config: When dialogues are duplicates.
        progress: Called while duplicates are looked for.
    """
    rows = Rows.of(parsed)
    chunks = [c for p in parsed for c in p.table["turns"].chunks]
    texts = pa.chunked_array([turn_texts(c) for c in chunks], pa.list_(pa.string()))
    sources = pa.chunked_array([c for p in parsed for c in p.table["source"].chunks], pa.string())
    clusters = cluster_dialogues(rows.ids, sources, texts, cluster_config or ClusterConfig(), progress, rows.hashes)
    groups = np.asarray(clusters.ids.dictionary_encode().indices)
    keys, ids = clusters.ids.to_pylist(), rows.ids.to_pylist()

    official = rows.official_under(policy)
    split = assign(official, groups, keys, ids, policy, seed)
    before = seeded_splits(ids, official, seed)
    placed = np.where(official >= TRAIN, official, split).astype(np.int8)
    found = sides(groups, placed)

    row_of = rows.row_of_utterance()
    pairs = pair_hashes(rows.hashes)
    last_turn = np.zeros(len(row_of), bool)
    last_turn[rows.starts[1:][np.diff(rows.starts) > 0] - 1] = True
    side = _of_pairs(split, row_of, last_turn)
    pair_sides, placed_sides = sides(pairs, side), sides(pairs, _of_pairs(placed, row_of, last_turn))
    in_benchmark = np.isin(rows.hashes, benchmark_texts)
    pair_benchmark = in_benchmark | np.append(in_benchmark[1:], np.zeros(min(1, len(in_benchmark)), bool))
    is_long = in_benchmark.copy()
    is_long[in_benchmark] = _words(texts, np.flatnonzero(in_benchmark)) > benchmark_words
    benchmark, benchmark_long = np.zeros(len(rows), bool), np.full(len(rows), -1)
    benchmark[row_of[in_benchmark]] = True
    benchmark_long[row_of[is_long][::-1]] = np.flatnonzero(is_long)[::-1]
    pair_leaks = leaking(pairs, side)

    source_of = rows.source[row_of]
    after = np.where(pair_leaks, LEFT_OUT, side) if policy == "leak-free" else side
    heard = pair_benchmark & (side >= TRAIN) & (side != TEST)
    leaks = (split == LEFT_OUT) & (official != LEFT_OUT)
    table = rows.table(split, leaks, sides(groups, official).blocking, found.first != found.last)
    table = table.append_column("cluster_id", clusters.ids)
    table = table.append_column("benchmark", pa.array(benchmark))
    said = np.where(benchmark_long >= 0, benchmark_long - rows.starts[:-1], -1)
    table = table.append_column("benchmark_turn", pa.array(said, pa.int32()))
    blocked_by = [rows.pair_id(other) for other in pair_sides.blocking[pair_leaks].tolist()]
    pair_table = pa.table(
        {
            "leak": pa.array(pair_leaks),
            "blocking": blocking_ids(pair_leaks, pa.array(blocked_by, pa.string())),
            # the last turn of a dialogue begins no pair: what follows it must not show in its source's decisions
            "flagged": pa.array((placed_sides.first != placed_sides.last) & ~last_turn),
            "first_in_benchmark": pa.array(in_benchmark),
            "benchmark": pa.array(pair_benchmark & ~last_turn),
        }
    )
    decisions = {}
    for name, start, length in rows.places():
        first, end = int(rows.starts[start]), int(rows.starts[start + length])
        decisions[name] = Decisions(part(table, start, length), part(pair_table, first, end - first))
    return Survey(
        decisions,
        leaks={
            "before": {
                "benchmark": _per_source(heard, source_of, rows.names),
                "dialogue": count_leaks(groups, before, rows.source, rows.names),
                "pair": count_leaks(pairs, _of_pairs(before, row_of, last_turn), source_of, rows.names),
            },
            "after": {
                "dialogue": count_leaks(groups, split, rows.source, rows.names),
                "pair": count_leaks(pairs, after, source_of, rows.names),
            },
        },
        duplicates={
            "dialogues": duplicate_matrix(groups, rows.source, rows.names),
            "utterances": duplicate_matrix(rows.hashes, source_of, rows.names),
        },
        members=clusters.members.cast(CLUSTERS.arrow_schema),
    )


def pair_hashes(hashes: np.ndarray) -> np.ndarray:
    """uint64 for each utterance and the one after it; equal for equal pairs of texts. The last one has no partner."""
    following = np.append(hashes[1:], np.zeros(min(1, len(hashes)), np.uint64))
    # an odd multiplier and a shift keep (a, b) apart from (b, a); 64 bits: a collision in 10^6 pairs has odds of 10^-8
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15) ^ (following >> np.uint64(29))
    return mixed + following * np.uint64(0xC2B2AE3D27D4EB4F)


def _of_pairs(split: np.ndarray, row_of: np.ndarray, last_turn: np.ndarray) -> np.ndarray:
    """Side of each utterance's pair; the last turn of a dialogue begins none."""
    side = split[row_of]
    return np.where(last_turn | (side == NO_SPLIT), LEFT_OUT, side).astype(np.int8)


def _per_source(found: np.ndarray, source: np.ndarray, names: list[str]) -> dict[str, dict[str, int]]:
    counts = np.bincount(source[found], minlength=len(names)).tolist()
    return {name: {"train-test": count} for name, count in zip(names, counts, strict=True)}


def _words(texts: pa.ChunkedArray, utterances: np.ndarray) -> np.ndarray:
    """Number of words of the utterances at these numbers."""
    flat = pa.chunked_array([chunk.flatten() for chunk in texts.chunks], pa.string())
    return pc.count_substring_regex(flat.take(pa.array(utterances)), r"\S+").to_numpy()
