"""Parsed sources: rows memory-mapped from the cache of `datasets`, with the hashes of their utterances."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.exceptions import DatasetGenerationError

from dataset_builders.common.errors import DataError
from dataset_builders.schema import ALL, SPLITS
from dataset_builders.sources.source import CorpusBuilder
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT
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

    def batches(self, turns: int | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Slices of the table, each with the number of its first row.

        Args:
            turns: Number of utterances that a slice of several blocks may have; None for `TURNS_AT_ONCE`.
        """
        turns = TURNS_AT_ONCE if turns is None else turns
        start = 0
        while start < len(self):
            fitting = int(np.searchsorted(self.starts, self.starts[start] + turns, "right")) - 1 - start
            count = max(fitting - fitting % ROWS_AT_ONCE, ROWS_AT_ONCE)
            yield start, self.table.slice(start, count)
            start += count


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
    parts: dict[str, pa.Table] = {}
    maps: list[mmap.mmap] = []
    for name, rows in builder.as_dataset().items():
        tables = [_mapped(file["filename"], maps) for file in rows.cache_files]
        parts[name] = pa.concat_tables(tables) if tables else rows.data.table
    table = pa.concat_tables(parts.values())
    split = np.repeat([SPLITS.index(name) for name in parts], [len(t) for t in parts.values()]).astype(np.int8)
    if builder.SPLITS_BY_ROW:
        split = _splits_of_rows(builder, table["original_split"])
    without_split = np.asarray(pc.equal(table["original_split"], ALL))
    starts, hashes = _utterances(table, maps)
    repeated = _repeated(builder.INFO.name, table, starts, hashes)
    release(maps)
    empty = (np.diff(starts) == 0) & ~repeated
    official = np.where(without_split, NO_SPLIT, split)
    official = np.where(repeated | empty, DROPPED, official).astype(np.int8)
    return ParsedSource(builder, table, split, official, starts, hashes, repeated, empty, maps)


def _mapped(path: str, maps: list[mmap.mmap]) -> pa.Table:
    """The table in an arrow stream, memory-mapped by Python's `mmap`, which can give pages back."""
    with Path(path).open("rb") as file:
        maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return pa.ipc.open_stream(pa.py_buffer(maps[-1])).read_all()


def release(maps: list[mmap.mmap]) -> None:
    """Return the pages of memory maps to the system; they are read again where they are needed."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for pages in maps:
            pages.madvise(mmap.MADV_DONTNEED)


def turn_texts(turns: pa.ListArray) -> pa.ListArray:
    """Texts of the turns of each dialogue: list of strings from list of turns, without a copy."""
    offsets = turns.offsets.to_numpy()
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), pc.struct_field(turns.flatten(), "text"))


def _splits_of_rows(builder: CorpusBuilder, names: pa.ChunkedArray) -> np.ndarray:
    """Split of each row by the name that the row has for it, as an index in `SPLITS`; int8 of shape (n,)."""
    names = names.combine_chunks().dictionary_encode()
    splits = [SPLITS.index(builder.split_name(name)) for name in names.dictionary.to_pylist()]
    return np.array(splits, np.int8)[names.indices.to_numpy()] if splits else np.zeros(0, np.int8)


def _utterances(table: pa.Table, maps: list[mmap.mmap]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each row's utterances and hashes of all utterances; see `ParsedSource`."""
    if "turns" not in table.column_names:
        counts, flat = np.ones(len(table), np.int64), table["utterance"].chunks
    else:
        counts = pc.list_value_length(table["turns"]).to_numpy().astype(np.int64)
        flat = [turn_texts(chunk).values for chunk in table["turns"].chunks]
    starts = np.concatenate([[0], np.cumsum(counts)])
    hashes = np.zeros(starts[-1], np.uint64)
    texts = pa.chunked_array(flat, pa.string())
    for start in range(0, len(texts), TURNS_AT_ONCE):
        hashes[start : start + TURNS_AT_ONCE] = text_hashes(texts.slice(start, TURNS_AT_ONCE))
        release(maps)
    return starts, hashes


def _repeated(name: str, table: pa.Table, starts: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Whether an earlier row has the same id. Dropping those keeps ids unique, which every join of rows relies on."""
    ids, repeated = table.column(0), np.zeros(len(table), bool)
    first: dict[str, int] = {}
    for row in _with_twin(ids).tolist():
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


def _with_twin(ids: pa.ChunkedArray) -> np.ndarray:
    """Numbers of the rows whose id may occur twice, ascending: Python's hashes need less memory than the ids."""
    keys = np.concatenate(
        [np.zeros(0, np.int64), *(np.fromiter(map(hash, c.to_pylist()), np.int64, len(c)) for c in ids.chunks)]
    )
    order = np.argsort(keys)
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    return np.sort(order[np.append(same, False) | np.append(False, same)[: len(order)]]) if len(keys) else order
