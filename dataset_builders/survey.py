"""What must be known of all sources before the first row is written: duplicates, splits and leaks.

Memory: 8 bytes an utterance for its hash, a few dozen a row, and what `quality.clusters` needs; texts stay on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.parsed import ParsedSource, turn_texts
from dataset_builders.quality.clusters import ClusterConfig, Clusters, Progress, cluster_dialogues
from dataset_builders.quality.duplicates import duplicate_matrix
from dataset_builders.quality.leaks import LEFT_OUT, NO_SPLIT, TEST, TRAIN, SplitPolicy, count_leaks, leaking, sides
from dataset_builders.splits import KEEPS_ITS_SPLITS, assign, seeded_splits


@dataclass(frozen=True)
class Rows:
    """The rows of several sources, one after the other.

    Attributes:
        names: Names of the sources.
        source: Index in `names` of each row, shape (n,).
        first_row: Number of each source's first row.
        ids: The rows' ids, n strings.
        side, official, repeated, silent: See `ParsedSource`; shape (n,).
        starts: int64 [n + 1], in `hashes`.
        hashes: uint64 [m], one an utterance.
    """

    names: list[str]
    source: np.ndarray
    first_row: list[int]
    ids: pa.ChunkedArray
    side: np.ndarray
    official: np.ndarray
    repeated: np.ndarray
    silent: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray

    @classmethod
    def of(cls, parsed: Sequence[ParsedSource]) -> Rows:
        """Put sources together."""
        lengths = [len(p) for p in parsed]
        first_row = np.concatenate([[0], np.cumsum(lengths)]).astype(int).tolist()
        lengths_said = np.concatenate([[0], *(np.diff(p.starts) for p in parsed)])
        return cls(
            names=[p.builder.INFO.name for p in parsed],
            source=np.repeat(np.arange(len(parsed)), lengths),
            first_row=first_row,
            ids=pa.chunked_array([c for p in parsed for c in p.table.column(0).chunks], pa.string()),
            side=np.concatenate([np.zeros(0, np.int8), *(p.side for p in parsed)]),
            official=np.concatenate([np.zeros(0, np.int8), *(p.official for p in parsed)]),
            repeated=np.concatenate([np.zeros(0, bool), *(p.repeated for p in parsed)]),
            silent=np.concatenate([np.zeros(0, bool), *(p.silent for p in parsed)]),
            starts=np.cumsum(lengths_said),
            hashes=np.concatenate([np.zeros(0, np.uint64), *(p.hashes for p in parsed)]),
        )

    def __len__(self) -> int:
        return len(self.source)

    def row_of_utterance(self) -> np.ndarray:
        """Row that says each utterance, shape (m,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def official_under(self, policy: SplitPolicy) -> np.ndarray:
        """Official splits, but under the policy `original` all of train for every corpus except one."""
        if policy != "original":
            return self.official
        moved = self.source != (self.names.index(KEEPS_ITS_SPLITS) if KEEPS_ITS_SPLITS in self.names else -1)
        return np.where(moved & (self.official != LEFT_OUT), TRAIN, self.official).astype(np.int8)


@dataclass(frozen=True)
class IntentSurvey:
    """What was decided about the rows of the intent sets.

    Attributes:
        rows: All of them.
        split: int8 [n]: where the row goes.
        leaks: bool [n]: left out, as its text stands on a later side.
        blocking: Row with that text, shape (n,).
        flagged: bool [n]: its text stands on several sides of the official splits.
        report: Leaks before and after, duplicates between sources.
    """

    rows: Rows
    split: np.ndarray
    leaks: np.ndarray
    blocking: np.ndarray
    flagged: np.ndarray
    report: dict[str, Any]

    @property
    def test_texts(self) -> np.ndarray:
        """Hashes of the test utterances: no pretraining pair may hold one."""
        return np.unique(self.rows.hashes[self.split == TEST])


def survey_intents(parsed: Sequence[ParsedSource], policy: SplitPolicy, seed: int) -> IntentSurvey:
    """Decide where the rows of all intent sets go.

    Args:
        parsed: The intent sets.
        policy: See `leaks.SplitPolicy`; `original` is as `official` here.
        seed: Of the splits of sets that have none.
    """
    rows = Rows.of(parsed)
    ids = rows.ids.to_pylist()
    texts = [f"{value:016x}" for value in rows.hashes.tolist()]
    split = assign(rows.official, rows.hashes, texts, ids, policy, seed)
    before = seeded_splits(ids, rows.official, seed)
    found = sides(rows.hashes, np.where(rows.official >= TRAIN, rows.official, split))
    blocking = sides(rows.hashes, rows.official).blocking
    report = {
        "before": count_leaks(rows.hashes, before, rows.source, rows.names),
        "after": count_leaks(rows.hashes, split, rows.source, rows.names),
        "duplicates": duplicate_matrix(rows.hashes, rows.source, rows.names),
    }
    leaks = (split == LEFT_OUT) & (rows.official != LEFT_OUT)
    return IntentSurvey(rows, split, leaks, blocking, found.first != found.last, report)


@dataclass(frozen=True)
class DialogueSurvey:
    """What was decided about the dialogues and about the pairs that they make.

    A pair goes by its anchor: arrays of shape (m,) hold at i what was found of utterance i and the one after it.

    Attributes:
        rows: All dialogues.
        clusters: Near duplicates over all sources.
        split: int8 [n]: where the dialogue goes.
        leaks: bool [n]: left out, as a duplicate stands on a later side.
        blocking: Row of that duplicate, shape (n,).
        flagged: bool [n]: its cluster stands on several sides of the official splits.
        benchmark: bool [n]: says a test utterance of an intent set.
        benchmark_long: int64 [n]: the first such utterance of more than the given number of words; -1 for none.
        pair_leaks: bool [m]: an equal pair stands on a later side.
        pair_blocking: Utterance that begins that pair, shape (m,).
        pair_flagged: bool [m]: an equal pair stands on several sides of the official splits.
        in_benchmark: bool [m]: the utterance is a test utterance of an intent set.
        pair_benchmark: bool [m]: so is one side of the pair.
        report: Leaks before and after, duplicates between sources.
    """

    rows: Rows
    clusters: Clusters
    split: np.ndarray
    leaks: np.ndarray
    blocking: np.ndarray
    flagged: np.ndarray
    benchmark: np.ndarray
    benchmark_long: np.ndarray
    pair_leaks: np.ndarray
    pair_blocking: np.ndarray
    pair_flagged: np.ndarray
    in_benchmark: np.ndarray
    pair_benchmark: np.ndarray
    report: dict[str, Any]

    def pair_id(self, utterance: int) -> str:
        """Id of the pair that an utterance begins."""
        row = int(np.searchsorted(self.rows.starts, utterance, side="right")) - 1
        return f"{self.rows.ids[row].as_py()}#{utterance - int(self.rows.starts[row])}"


def survey_dialogues(
    parsed: Sequence[ParsedSource],
    policy: SplitPolicy,
    seed: int,
    benchmark_texts: np.ndarray,
    benchmark_words: int,
    cluster_config: ClusterConfig | None = None,
    progress: Progress | None = None,
) -> DialogueSurvey:
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
    clusters = cluster_dialogues(rows.ids, sources, texts, cluster_config or ClusterConfig(), progress)
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
    report = {
        "before": {
            "benchmark": _per_source(heard, source_of, rows.names),
            "dialogue": count_leaks(groups, before, rows.source, rows.names),
            "pair": count_leaks(pairs, _of_pairs(before, row_of, last_turn), source_of, rows.names),
        },
        "after": {
            "dialogue": count_leaks(groups, split, rows.source, rows.names),
            "pair": count_leaks(pairs, after, source_of, rows.names),
        },
        "duplicates": {
            "dialogues": duplicate_matrix(groups, rows.source, rows.names),
            "utterances": duplicate_matrix(rows.hashes, source_of, rows.names),
        },
    }
    return DialogueSurvey(
        rows=rows,
        clusters=clusters,
        split=split,
        leaks=(split == LEFT_OUT) & (official != LEFT_OUT),
        blocking=sides(groups, official).blocking,
        flagged=found.first != found.last,
        benchmark=benchmark,
        benchmark_long=benchmark_long,
        pair_leaks=pair_leaks,
        pair_blocking=pair_sides.blocking,
        pair_flagged=placed_sides.first != placed_sides.last,
        in_benchmark=in_benchmark,
        pair_benchmark=pair_benchmark,
        report=report,
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
