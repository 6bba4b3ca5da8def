"""Parsed sources: rows memory-mapped from the cache of `datasets`, with the hashes of their utterances."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.exceptions import DatasetGenerationError

from dataset_builders.common.errors import DataError
from dataset_builders.schema import ALL, SPLITS
from dataset_builders.sources.raw_files import close_archives
from dataset_builders.sources.source import CorpusBuilder
from dataset_builders.survey.chunks import turn_texts
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, with_twins
from dataset_builders.survey.mapped import mapped, release, release_unused
from dataset_builders.text.normalize import text_hashes

ROWS_AT_ONCE = 500
"""Rows of a block: each process holds at least one in memory, along with all its pairs."""

TURNS_AT_ONCE = 20_000
"""Utterances up to which a process holds several blocks: each step has a fixed cost, such as compiling a pattern."""


@dataclass
class ParsedSource:
    """All rows of one source.

    Attributes:
        builder: Builder that parsed the source.
        table: The n rows in the order train, validation, test; memory-mapped.
        split: Split that the builder put each row in, as an index in `SPLITS`; int8 of shape (n,).
        official: The same, but `NO_SPLIT` where the source has no official split, and `DROPPED` for repeated records
            and empty dialogues; int8 of shape (n,).
        starts: Bounds of each row's utterances in `hashes`, int64 of shape (n + 1,); an intent has one utterance.
        hashes: Hash of each utterance, uint64 of shape (m,); equal for texts that differ only in case, punctuation and
            spacing.
        repeated: Whether an earlier row is the same record, bool of shape (n,).
        empty: Whether every turn of the dialogue is empty, bool of shape (n,).
        maps: Memory maps of the table.
    """

    builder: CorpusBuilder
    table: pa.Table
    split: np.ndarray
    official: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray
    repeated: np.ndarray
    empty: np.ndarray
    maps: list[mmap.mmap] = field(default_factory=list)

    def release(self) -> None:
        """Return the pages of the table that were read to the system, where it lets a process do so."""
        release(self.maps)

    def __len__(self) -> int:
        return len(self.table)

    def bounds(self, turns: int | None = None) -> list[tuple[int, int]]:
        """Batches of rows that together are the table: the number of the first row of each, and of its rows.

        Args:
            turns: Number of utterances that a batch of several blocks may have; None for `TURNS_AT_ONCE`.
        """
        turns = TURNS_AT_ONCE if turns is None else turns
        bounds, start = [], 0
        while start < len(self):
            fitting = int(np.searchsorted(self.starts, self.starts[start] + turns, "right")) - 1 - start
            count = min(max(fitting - fitting % ROWS_AT_ONCE, ROWS_AT_ONCE), len(self) - start)
            bounds.append((start, count))
            start += count
        return bounds

    def batches(self, turns: int | None = None) -> Iterator[tuple[int, pa.Table]]:
        """The rows of each of the `bounds`, with the number of the first one."""
        for start, count in self.bounds(turns):
            yield start, self.table.slice(start, count)


def parse(builder: CorpusBuilder, num_proc: int | None = None) -> ParsedSource:
    """Parse a source, or read its rows from the cache.

    Args:
        builder: Builder of the source.
        num_proc: Number of processes that parse raw files.

    Raises:
        DataError: A raw file is broken, or two different records have the same id.
    """
    try:
        builder.download_and_prepare(num_proc=num_proc)
    except DatasetGenerationError as error:
        if isinstance(error, DataError):
            raise
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:  # the raw files are fine
            raise cause from error
        raise DataError(f"{builder.raw_dir}: {builder.INFO.name} could not be parsed: {cause}") from error
    close_archives()
    release_unused()
    maps: list[mmap.mmap] = []
    parts = _tables(builder, maps)
    if not parts:
        files = [str(file) for names in builder.split_files.values() for file in names]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise DataError(f"{files[0]}{more}: no record of {builder.INFO.name} in it; fetch the files again")
    table = pa.concat_tables(parts.values())
    split = np.repeat([SPLITS.index(name) for name in parts], [len(t) for t in parts.values()]).astype(np.int8)
    if builder.SPLITS_BY_ROW:
        split = _splits_of_rows(builder, table["original_split"], maps)
    without_split = _without_split(table["original_split"], maps)
    starts, hashes = _utterances(table, maps)
    repeated = _repeated(builder.INFO.name, table, starts, hashes, maps)
    release(maps)
    empty = (np.diff(starts) == 0) & ~repeated
    official = np.where(without_split, NO_SPLIT, split)
    official = np.where(repeated | empty, DROPPED, official).astype(np.int8)
    return ParsedSource(builder, table, split, official, starts, hashes, repeated, empty, maps)


def _tables(builder: CorpusBuilder, maps: list[mmap.mmap]) -> dict[str, pa.Table]:
    """The rows of each split, mapped once more: `datasets` keeps the pages that it read."""
    parts = {}
    for name, rows in builder.as_dataset().items():
        tables = [mapped(file["filename"], maps) for file in rows.cache_files]
        parts[name] = pa.concat_tables(tables) if tables else rows.data.table
    release(maps)
    return parts


def _splits_of_rows(builder: CorpusBuilder, names: pa.ChunkedArray, maps: list[mmap.mmap]) -> np.ndarray:
    """Split of each row by the name that the row has for it, as an index in `SPLITS`; int8 of shape (n,)."""
    parts = [np.zeros(0, np.int8)]
    for chunk in names.chunks:
        codes = chunk.dictionary_encode()
        splits = [SPLITS.index(builder.split_name(name)) for name in codes.dictionary.to_pylist()]
        parts.append(np.array(splits, np.int8)[codes.indices.to_numpy()])
        release(maps)
    return np.concatenate(parts)


def _without_split(names: pa.ChunkedArray, maps: list[mmap.mmap]) -> np.ndarray:
    """Whether each row has no split of its own, bool of shape (n,)."""
    parts = [np.zeros(0, bool)]
    for chunk in names.chunks:
        parts.append(pc.equal(chunk, ALL).to_numpy(zero_copy_only=False))
        release(maps)
    return np.concatenate(parts)


def _utterances(table: pa.Table, maps: list[mmap.mmap]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each row's utterances and hashes of all utterances; see `ParsedSource`."""
    if "turns" not in table.column_names:
        counts, flat = [np.ones(len(table), np.int64)], table["utterance"].chunks
    else:
        counts = []
        for chunk in table["turns"].chunks:
            counts.append(pc.list_value_length(chunk).to_numpy())
            release(maps)
        flat = table["turns"].chunks
    starts = np.zeros(len(table) + 1, np.int64)
    np.cumsum(np.concatenate([np.zeros(0, np.int32), *counts]), out=starts[1:])
    hashes = np.zeros(starts[-1], np.uint64)
    start = 0
    for texts in _several(turn_texts(chunk).values if "turns" in table.column_names else chunk for chunk in flat):
        hashes[start : start + len(texts)] = text_hashes(texts)
        start += len(texts)
        release(maps)
    return starts, hashes


def _several(chunks: Iterable[pa.Array]) -> Iterator[pa.ChunkedArray]:
    """Join chunks of texts up to about `TURNS_AT_ONCE`: each step has a fixed cost."""
    group, size = [], 0
    for chunk in chunks:
        group.append(chunk)
        size += len(chunk)
        if size >= TURNS_AT_ONCE:
            yield pa.chunked_array(group, pa.string())
            group, size = [], 0
    if size:
        yield pa.chunked_array(group, pa.string())


def _repeated(name: str, table: pa.Table, starts: np.ndarray, hashes: np.ndarray, maps: list[mmap.mmap]) -> np.ndarray:
    """Whether an earlier row has the same id. Dropping those keeps ids unique, which every join of rows relies on."""
    ids, repeated = table.column(0), np.zeros(len(table), bool)
    first: dict[str, int] = {}
    for row in _with_twin(ids, maps).tolist():
        earlier = first.setdefault(ids[row].as_py(), row)
        if earlier != row:
            repeated[row] = True
            texts, earlier_texts = (hashes[starts[i] : starts[i + 1]] for i in (row, earlier))
            if not np.array_equal(texts, earlier_texts):
                raise DataError(
                    f"{name}: two different records have the id {ids[row].as_py()!r}; the raw folder mixes "
                    "two releases, keep one"
                )
    return repeated


def _with_twin(ids: pa.ChunkedArray, maps: list[mmap.mmap]) -> np.ndarray:
    """Numbers of the rows whose id may occur twice, ascending: Python's hashes need less memory than the ids."""
    keys, start = np.empty(len(ids), np.int64), 0
    for chunk in ids.chunks:
        keys[start : start + len(chunk)] = np.fromiter(map(hash, chunk.to_pylist()), np.int64, len(chunk))
        start += len(chunk)
        release(maps)
    return with_twins(keys)
