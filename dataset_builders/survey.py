"""What must be known of all sources before the first row is written: duplicates, splits and leaks.

Memory: 8 bytes an utterance for its hash, a few dozen a row, and what `quality.clusters` needs; texts stay on disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.decisions import Decisions, blocking_ids
from dataset_builders.options import BuildOptions
from dataset_builders.parsed import ParsedSource, turn_texts
from dataset_builders.quality.clusters import ClusterConfig, Progress, cluster_dialogues
from dataset_builders.quality.drops import CLUSTERS_SCHEMA
from dataset_builders.quality.duplicates import duplicate_matrix
from dataset_builders.quality.leaks import LEFT_OUT, NO_SPLIT, TEST, TRAIN, SplitPolicy, count_leaks, leaking, sides
from dataset_builders.splits import KEEPS_ITS_SPLITS, assign, seeded_splits

_FIGURES, _MEMBERS = "figures.json", "members.parquet"


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

    def places(self) -> Iterator[tuple[str, int, int]]:
        """Name, first row and number of rows of each source."""
        for name, start, end in zip(self.names, self.first_row[:-1], self.first_row[1:], strict=True):
            yield name, start, end - start

    def pair_id(self, utterance: int) -> str:
        """Id of the pair that an utterance begins."""
        row = int(np.searchsorted(self.starts, utterance, side="right")) - 1
        return f"{self.ids[row].as_py()}#{utterance - int(self.starts[row])}"

    def table(self, split: np.ndarray, leaks: np.ndarray, blocking: np.ndarray, flagged: np.ndarray) -> pa.Table:
        """`Decisions.rows` of all sources together; `blocking` counts where a row is a leak."""
        ids = self.ids.take(pa.array(blocking[leaks]))
        columns = (pa.array(split, pa.int8()), pa.array(leaks), blocking_ids(leaks, ids), pa.array(flagged))
        return pa.table(dict(zip(("split", "leak", "blocking", "flagged"), columns, strict=True)))

    def official_under(self, policy: SplitPolicy) -> np.ndarray:
        """Official splits, but under the policy `original` all of train for every corpus except one."""
        if policy != "original":
            return self.official
        moved = self.source != (self.names.index(KEEPS_ITS_SPLITS) if KEEPS_ITS_SPLITS in self.names else -1)
        return np.where(moved & (self.official != LEFT_OUT), TRAIN, self.official).astype(np.int8)


@dataclass(frozen=True)
class Survey:
    """What was decided about all sources.

    Attributes:
        decisions: By name of the source.
        leaks: Leaks `before` and `after`, for the report.
        duplicates: Duplicates between sources, for the report.
        members: `schema.CLUSTERS` rows of the clusters of two or more dialogues.
    """

    decisions: dict[str, Decisions]
    leaks: dict[str, dict[str, Any]]
    duplicates: dict[str, Any]
    members: pa.Table

    def save(self, folder: Path) -> None:
        """Write everything into an empty folder; equal surveys give equal bytes."""
        for name, decisions in self.decisions.items():
            decisions.save(folder / name)
        (folder / _FIGURES).write_text(json.dumps({"leaks": self.leaks, "duplicates": self.duplicates}, indent=1))
        pq.write_table(self.members, folder / _MEMBERS)

    @classmethod
    def load(cls, folder: Path, names: Sequence[str]) -> Survey:
        """What `save` wrote of these sources."""
        figures = json.loads((folder / _FIGURES).read_text())
        decisions = {name: Decisions.load(folder / name) for name in names}
        return cls(decisions, figures["leaks"], figures["duplicates"], pq.read_table(folder / _MEMBERS))


def survey(parsed: Sequence[ParsedSource], options: BuildOptions, progress: Progress | None = None) -> Survey:
    """Find duplicates over all sources and decide where each row goes.

    Args:
        parsed: All sources.
        options: `split_policy`, `seed` and `benchmark_words` count here.
        progress: Called while duplicates are looked for.
    """
    intents = [p for p in parsed if p.builder.INFO.kind == "downstream"]
    dialogues = [p for p in parsed if p.builder.INFO.kind == "dialogues"]
    of_intents, test_texts = _survey_intents(intents, options.split_policy, options.seed)
    of_dialogues = _survey_dialogues(
        dialogues, options.split_policy, options.seed, test_texts, options.benchmark_words, progress=progress
    )
    return Survey(
        decisions=of_dialogues.decisions | of_intents.decisions,
        leaks={when: of_dialogues.leaks[when] | of_intents.leaks[when] for when in ("before", "after")},
        duplicates=of_dialogues.duplicates | of_intents.duplicates,
        members=of_dialogues.members,
    )


def _survey_intents(parsed: Sequence[ParsedSource], policy: SplitPolicy, seed: int) -> tuple[Survey, np.ndarray]:
    """Decide where the rows of all intent sets go.

    Args:
        parsed: The intent sets.
        policy: See `leaks.SplitPolicy`; `original` is as `official` here.
        seed: Of the splits of sets that have none.

    Returns:
        The survey, and the hashes of the test utterances: no pretraining pair may hold one.
    """
    rows = Rows.of(parsed)
    ids = rows.ids.to_pylist()
    texts = [f"{value:016x}" for value in rows.hashes.tolist()]
    split = assign(rows.official, rows.hashes, texts, ids, policy, seed)
    before = seeded_splits(ids, rows.official, seed)
    found = sides(rows.hashes, np.where(rows.official >= TRAIN, rows.official, split))
    blocking = sides(rows.hashes, rows.official).blocking
    leaks = (split == LEFT_OUT) & (rows.official != LEFT_OUT)
    table = rows.table(split, leaks, blocking, found.first != found.last)
    decided = Survey(
        decisions={name: Decisions(_part(table, start, length)) for name, start, length in rows.places()},
        leaks={
            "before": {"text": count_leaks(rows.hashes, before, rows.source, rows.names)},
            "after": {"text": count_leaks(rows.hashes, split, rows.source, rows.names)},
        },
        duplicates={"downstream": duplicate_matrix(rows.hashes, rows.source, rows.names)},
        members=CLUSTERS_SCHEMA.empty_table(),
    )
    return decided, np.unique(rows.hashes[split == TEST])


def _survey_dialogues(
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
        decisions[name] = Decisions(_part(table, start, length), _part(pair_table, first, end - first))
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
        members=clusters.members.cast(CLUSTERS_SCHEMA),
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


def _part(table: pa.Table, start: int, length: int) -> pa.Table:
    """A copy of some rows: a slice would keep, and write, bits of its neighbours."""
    return table.take(pa.array(np.arange(start, start + length)))


def _words(texts: pa.ChunkedArray, utterances: np.ndarray) -> np.ndarray:
    """Number of words of the utterances at these numbers."""
    flat = pa.chunked_array([chunk.flatten() for chunk in texts.chunks], pa.string())
    return pc.count_substring_regex(flat.take(pa.array(utterances)), r"\S+").to_numpy()
