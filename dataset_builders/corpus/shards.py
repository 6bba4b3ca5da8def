"""Shards of the parsed sources: the rows of one task, with the decisions about them."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array
from dataset_builders.arrow.mapped import release
from dataset_builders.common.storage import Storage
from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.own_data import OwnBuilder
from dataset_builders.survey.decisions import Decisions, shard_name
from dataset_builders.survey.parsed import ROWS_AT_ONCE, TURNS_AT_ONCE, ParsedSource, Part, read_rows, read_splits


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


@dataclass(frozen=True)
class ShardFiles:
    """The shards of parsed sources, in the order of the rows. Picklable, for tasks on other machines.

    An intent set is one shard, since some filters need all of its rows at once.

    Args:
        parsed: The sources.
        survey: Where the decisions about their rows are.
    """

    parsed: Sequence[ParsedSource]
    survey: Storage

    @cached_property
    def _shards(self) -> list[tuple[ParsedSource, int, list[Part]]]:
        """Source, number in the source, and files of each shard."""
        return [
            (source, number, parts)
            for source in self.parsed
            for number, parts in enumerate([[p] for p in source.parts] if source.has_dialogues else [source.parts])
        ]

    def __len__(self) -> int:
        return len(self._shards)

    def name(self, index: int) -> str:
        """Name of the shard of this number."""
        source, number, _ = self._shards[index]
        return shard_name(source.builder.INFO.name, number)

    def load(self, index: int) -> Shard:
        """The shard of this number."""
        source, number, parts = self._shards[index]
        builder, maps = source.builder, list[mmap.mmap]()
        counts = SourceCounts(builder.INFO, builder.config.name, builder.hash)
        if isinstance(builder, OwnBuilder) and number == 0:
            counts.rejected = source.rejected
        numbers = [number] if source.has_dialogues else range(len(parts))
        names = [shard_name(builder.INFO.name, each) for each in numbers]
        decisions = Decisions.load(self.survey, names, pairs=source.has_dialogues)
        repeated = np.asarray(decisions.rows["repeated"])
        hashes = np.zeros(0, np.uint64) if decisions.pairs is None else array(decisions.pairs, "hash")
        return Shard(
            name=self.name(index),
            counts=counts,
            is_own=isinstance(builder, OwnBuilder),
            table=pa.concat_tables([read_rows(source.storage, part, maps) for part in parts]),
            split=np.concatenate([read_splits(source.storage, part)[0] for part in parts]),
            starts=decisions.starts,
            hashes=hashes,
            repeated=repeated,
            empty=(np.diff(decisions.starts) == 0) & ~repeated,
            decisions=decisions,
            maps=maps,
        )
