"""Parsed sources: rows memory-mapped from the cache of `datasets`, with the hashes of their utterances."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

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
"""Number of rows that each process holds in memory while it reads or writes a source, along with all their pairs."""


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
    """

    builder: CorpusBuilder
    table: pa.Table
    split: np.ndarray
    official: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray
    repeated: np.ndarray
    empty: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def batches(self) -> Iterator[tuple[int, pa.Table]]:
        """Slices of the table, each with the number of its first row."""
        for start in range(0, len(self.table), ROWS_AT_ONCE):
            yield start, self.table.slice(start, ROWS_AT_ONCE)


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
    parts = {split: rows.data.table for split, rows in builder.as_dataset().items()}
    table = pa.concat_tables(parts.values())
    split = np.repeat([SPLITS.index(name) for name in parts], [len(t) for t in parts.values()]).astype(np.int8)
    if builder.SPLITS_BY_ROW:
        split = _splits_of_rows(builder, table["original_split"])
    without_split = np.asarray(pc.equal(table["original_split"], ALL))
    starts, hashes = _utterances(table)
    repeated = _repeated(builder.INFO.name, table, starts, hashes)
    empty = (np.diff(starts) == 0) & ~repeated
    official = np.where(without_split, NO_SPLIT, split)
    official = np.where(repeated | empty, DROPPED, official).astype(np.int8)
    return ParsedSource(builder, table, split, official, starts, hashes, repeated, empty)


def turn_texts(turns: pa.ListArray) -> pa.ListArray:
    """Texts of the turns of each dialogue: list of strings from list of turns, without a copy."""
    offsets = turns.offsets.to_numpy()
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), pc.struct_field(turns.flatten(), "text"))


def _splits_of_rows(builder: CorpusBuilder, names: pa.ChunkedArray) -> np.ndarray:
    """Split of each row by the name that the row has for it, as an index in `SPLITS`; int8 of shape (n,)."""
    names = names.combine_chunks().dictionary_encode()
    splits = [SPLITS.index(builder.split_name(name)) for name in names.dictionary.to_pylist()]
    return np.array(splits, np.int8)[names.indices.to_numpy()] if splits else np.zeros(0, np.int8)


def _utterances(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each row's utterances and hashes of all utterances; see `ParsedSource`."""
    counts, hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        if "turns" in batch.schema.names:
            texts = turn_texts(batch["turns"])
            counts.append(np.diff(texts.offsets.to_numpy()))
            hashes.append(text_hashes(texts.values))
        else:
            counts.append(np.ones(len(batch), np.int64))
            hashes.append(text_hashes(batch["utterance"]))
    return np.concatenate([[0], np.cumsum(np.concatenate(counts))]), np.concatenate(hashes)


def _repeated(name: str, table: pa.Table, starts: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Whether an earlier row has the same id. Dropping those keeps ids unique, which every join of rows relies on."""
    ids = table.column(0).combine_chunks().dictionary_encode()
    first: dict[int, int] = {}
    repeated = np.zeros(len(table), bool)
    if len(ids.dictionary) == len(table):
        return repeated
    for row, code in enumerate(ids.indices.to_pylist()):
        earlier = first.setdefault(code, row)
        if earlier != row:
            repeated[row] = True
            texts, earlier_texts = (hashes[starts[i] : starts[i + 1]] for i in (row, earlier))
            if not np.array_equal(texts, earlier_texts):
                raise DataError(
                    f"{name}: two different records have the id {ids.dictionary[code].as_py()!r}; the raw folder mixes "
                    "two releases, keep one"
                )
    return repeated
