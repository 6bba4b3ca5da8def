"""Shards of the parsed sources: the rows of one task, with the decisions about them."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.own_data import OwnBuilder
from dataset_builders.survey.decisions import Decisions
from dataset_builders.survey.mapped import release
from dataset_builders.survey.parsed import ROWS_AT_ONCE, TURNS_AT_ONCE, ParsedSource

TURNS_OF_SHARD = 100_000
"""Utterances of a shard: some seconds of work, and tens of MB of rows and pairs."""


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of one source, numbered from 0; utterances, too.

    A shard begins at a multiple of `ROWS_AT_ONCE` rows of its source, so that its blocks are those of the source.

    Attributes:
        name: Name of the files of its rows, without an ending: `SOURCE/NNNNN`.
        counts: Facts about the source, without any row yet.
        is_own: Whether the rows are a user's own data.
        table: The n rows.
        split: Split that the builder put each row in, as an index in `SPLITS`; int8 of shape (n,).
        starts: Bounds of each row's utterances in `hashes`, int64 of shape (n + 1,).
        hashes: Hash of each utterance, uint64 of shape (m,).
        repeated: Whether an earlier row of the source is the same record, bool of shape (n,).
        empty: Whether every turn of the dialogue is empty, bool of shape (n,).
        decisions: Decisions about the rows and about the pairs of their utterances.
        maps: Memory maps of the table.
    """

    name: str
    counts: SourceCounts
    is_own: bool
    table: pa.Table
    split: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray
    repeated: np.ndarray
    empty: np.ndarray
    decisions: Decisions
    maps: list[mmap.mmap] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.table)

    def batches(self, turns: int | None = None) -> list[tuple[int, int]]:
        """Batches of rows that a process has in memory at once: number of the first row of each, and of its rows.

        Args:
            turns: See `bounds`; None for `TURNS_AT_ONCE`.
        """
        return bounds(self.starts, TURNS_AT_ONCE if turns is None else turns)

    def release(self) -> None:
        """Return the pages of all tables that were read to the system, where it lets a process do so."""
        release(self.maps)
        self.decisions.release()


def bounds(starts: np.ndarray, turns: int) -> list[tuple[int, int]]:
    """Divide rows into parts of several blocks of `ROWS_AT_ONCE` rows.

    Args:
        starts: Bounds of each row's utterances, shape (n + 1,).
        turns: Number of utterances that a part may have; a part has at least one block.

    Returns:
        Number of the first row of each part, and of its rows.
    """
    parts, start, rows = [], 0, len(starts) - 1
    while start < rows:
        fitting = int(np.searchsorted(starts, starts[start] + turns, "right")) - 1 - start
        count = min(max(fitting - fitting % ROWS_AT_ONCE, ROWS_AT_ONCE), rows - start)
        parts.append((start, count))
        start += count
    return parts


def slice_decisions(decisions: Decisions, starts: np.ndarray, start: int, count: int) -> Decisions:
    """Decisions about some rows of a source.

    Args:
        decisions: Decisions about the whole source.
        starts: Bounds of each row's utterances, shape (n + 1,).
        start: Number of the first row.
        count: Number of rows.
    """
    first, end = starts[[start, start + count]].tolist()
    pairs = None if decisions.pairs is None else decisions.pairs.slice(first, end - first)
    return Decisions(decisions.rows.slice(start, count), pairs, decisions.maps)


class ParsedShards:
    """The shards of parsed sources, in the order of the rows.

    An intent set is one shard, since some filters need all of its rows at once.

    Args:
        parsed: The sources.
        decisions: Decisions about each source, by its name.
    """

    def __init__(self, parsed: Sequence[ParsedSource], decisions: Mapping[str, Decisions]) -> None:
        self._parsed, self._decisions = parsed, decisions
        self._shards = [
            (source, number, start, count)
            for source in parsed
            for number, (start, count) in enumerate(
                bounds(source.starts, TURNS_OF_SHARD) if source.builder.INFO.kind == "dialogues" else [(0, len(source))]
            )
        ]

    def __len__(self) -> int:
        return len(self._shards)

    def name(self, index: int) -> str:
        """Name of the shard of this number."""
        source, number, *_ = self._shards[index]
        return f"{source.builder.INFO.name}/{number:05d}"

    def load(self, index: int) -> Shard:
        """The shard of this number."""
        source, number, start, count = self._shards[index]
        builder, rows = source.builder, slice(start, start + count)
        counts = SourceCounts(builder.INFO, builder.config.name, builder.hash)
        if isinstance(builder, OwnBuilder) and number == 0:
            counts.rejected = builder.tally.rejected
        starts = source.starts[start : start + count + 1]
        return Shard(
            name=self.name(index),
            counts=counts,
            is_own=isinstance(builder, OwnBuilder),
            table=source.table.slice(start, count),
            split=source.split[rows],
            starts=starts - starts[0],
            hashes=source.hashes[starts[0] : starts[-1]],
            repeated=source.repeated[rows],
            empty=source.empty[rows],
            decisions=slice_decisions(self._decisions[builder.INFO.name], source.starts, start, count),
            maps=source.maps,
        )
