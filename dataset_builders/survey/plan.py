"""The plan of a survey: its shards, its options and its files; what every task knows."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import Exchange
from dataset_builders.common.storage import Storage
from dataset_builders.survey.leaks import SplitPolicy
from dataset_builders.survey.parsed import ParsedSource, Part, read_rows
from dataset_builders.text.near_duplicates import BANDS, PERMUTATIONS, SHINGLE, THRESHOLD

_RECORDS_AT_ONCE = 1 << 19
"""Records that a task combines, about: 20 to 40 bytes each, and several times that while they are sorted."""

_SIGNATURES_AT_ONCE = 1 << 17
"""Parts of signatures that a task compares, about: 170 bytes each."""

_ROWS_AT_ONCE = 1 << 18
"""Rows that a task sorts, about: 16 bytes each, and 200 for members of clusters."""


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
        most_alike: Maximum number of dialogues with equal parts of their signatures that are all compared with each
            other; of more, each is compared with as many that follow it in the order of their hashes.
        most_candidates: Maximum number of pairs of such dialogues that a task finds possibly similar; one with more
            leaves out pairs in its crowds.
        crowd: Number of dialogues with equal parts of their signatures above which they are a crowd.
        neighbours: Number of possibly similar dialogues with which a dialogue of a crowd is compared; the comparisons
            with the others are left out.
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
    most_alike: int = 5000
    most_candidates: int = 1 << 24
    crowd: int = 256
    neighbours: int = 8
    shingle: int = SHINGLE
    permutations: int = PERMUTATIONS
    bands: int = BANDS
    seed: int = 0


@dataclass(frozen=True)
class ShardPlace:
    """A shard and its place among all rows.

    Attributes:
        source: Number of its source.
        rows: Where the file of its rows is.
        part: The file.
        start: Number of its first row in the source.
        first: Number of its first row among those of all sources.
        first_turn: Number of its first utterance among those of all sources.
    """

    source: int
    rows: Storage
    part: Part
    start: int
    first: int
    first_turn: int


@dataclass(frozen=True)
class Plan:
    """What every task of a survey knows.

    Attributes:
        storage: Where the tasks exchange files.
        names: Names of the sources.
        shards: All shards, in the order of the rows.
        policy: See `leaks.SplitPolicy`.
        seed: Random seed of the splits of sources without official ones.
        benchmark_words: Dialogues outside test are dropped if they contain a test utterance of more words than this.
        config: Criteria for duplicate dialogues.
        has_dialogues: Whether the rows are dialogues; else they are single utterances.
    """

    storage: Storage
    names: list[str]
    shards: list[ShardPlace]
    policy: SplitPolicy
    seed: int
    benchmark_words: int
    config: ClusterConfig
    has_dialogues: bool = True

    @property
    def rows(self) -> str:
        """What the rows are, for progress."""
        return "dialogues" if self.has_dialogues else "intents"

    @staticmethod
    def places(parsed: Sequence[ParsedSource]) -> list[ShardPlace]:
        """The shards of all sources, in order."""
        places, first, turn = [], 0, 0
        for number, source in enumerate(parsed):
            start = 0
            for part in source.parts:
                places.append(ShardPlace(number, source.storage, part, start, first, turn))
                start, first, turn = start + part.rows, first + part.rows, turn + part.turns
        return places

    @cached_property
    def first_rows(self) -> np.ndarray:
        """Number of each shard's first row, and of all rows at the end; int64 of shape (shards + 1,)."""
        return np.cumsum([0, *(shard.part.rows for shard in self.shards)])

    @cached_property
    def first_turns(self) -> np.ndarray:
        """Number of each shard's first utterance, and of all utterances at the end; int64 of shape (shards + 1,)."""
        return np.cumsum([0, *(shard.part.turns for shard in self.shards)])

    @cached_property
    def sources(self) -> np.ndarray:
        """Number of each shard's source, int64 of shape (shards,)."""
        return np.array([shard.source for shard in self.shards], np.int64)

    @property
    def parts(self) -> int:
        """Number of parts in which records with equal keys meet."""
        return 1 + int(self.first_turns[-1]) // _RECORDS_AT_ONCE

    @property
    def band_parts(self) -> int:
        """Number of parts in which signatures meet, with small bitmaps of their dialogues."""
        return 1 + int(self.config.bands * self.first_rows[-1]) // _SIGNATURES_AT_ONCE

    def band_part_of(self, keys: np.ndarray) -> np.ndarray:
        """The part of the signatures of each key, uint64 of shape (n,)."""
        return _remainders(keys, self.band_parts)

    @property
    def ranges(self) -> int:
        """Number of ranges of hashes in which rows are sorted."""
        return 1 + int(self.first_rows[-1]) // _ROWS_AT_ONCE

    def part_of(self, keys: np.ndarray) -> np.ndarray:
        """The part of each key, uint64 of shape (n,)."""
        return _remainders(keys, self.parts)

    def range_of(self, hashes: np.ndarray) -> np.ndarray:
        """The range of each hash, uint64 of shape (n,); ascending with the hashes."""
        return range_of(hashes, self.ranges)

    def shard_of(self, rows: np.ndarray) -> np.ndarray:
        """The shard of each row, by the numbers of the rows among all."""
        return np.searchsorted(self.first_rows, rows, "right") - 1

    def shard_of_turns(self, turns: np.ndarray) -> np.ndarray:
        """The shard of each utterance, by the numbers of the utterances among all."""
        return np.searchsorted(self.first_turns, turns, "right") - 1

    def exchange(self, name: str) -> Exchange:
        """An exchange between the tasks."""
        return Exchange(self.storage, name)

    def senders(self, counts: np.ndarray) -> np.ndarray:
        """The source of each record that shards sent.

        Args:
            counts: Number of records from each shard, shape (shards,).
        """
        return np.repeat(self.sources, counts)

    def table(self, number: int, maps: list[mmap.mmap]) -> pa.Table:
        """The rows of a shard; see `read_rows`."""
        shard = self.shards[number]
        return read_rows(shard.rows, shard.part, maps)


def _remainders(keys: np.ndarray, parts: int) -> np.ndarray:
    """Remainders of n keys, uint64 of shape (n,), in the smallest type: numpy sorts 16 bits in linear time."""
    return (keys % np.uint64(parts)).astype(np.min_scalar_type(parts))


def range_of(hashes: np.ndarray, ranges: int) -> np.ndarray:
    """Return the range to which each hash belongs; higher hashes belong to later ranges.

    Args:
        hashes: uint64 of shape (n,).
        ranges: Number of ranges, below 2^32.
    """
    return ((hashes >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)).astype(np.int64)
