"""A source after parsing: its rows memory-mapped from the cache of `datasets`, each id once."""

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
from dataset_builders.survey.leaks import LEFT_OUT, NO_SPLIT
from dataset_builders.text.normalize import text_hashes

ROWS_AT_ONCE = 500
"""Rows in memory of each process while a source is read or written, with all the pairs that are made of them."""


@dataclass
class ParsedSource:
    """All rows of one source.

    Attributes:
        builder: Where they come from.
        table: The rows in the order train, validation, test; memory-mapped.
        side: int8 [n]: number in `SPLITS` of the split that the builder put the row in.
        official: int8 [n]: the same, but `NO_SPLIT` where the source has no split of its own, and `LEFT_OUT` for a
            record that is there twice and for a dialogue whose every turn is empty.
        starts: int64 [n + 1]: row i says the utterances `starts[i]` to `starts[i + 1]` (one a row in intent sets).
        hashes: uint64 [m], one an utterance: equal for texts that are equal but for case, punctuation and spacing.
        repeated: bool [n]: the record is there twice; the first one counts.
        silent: bool [n]: every turn of the dialogue is empty.
    """

    builder: CorpusBuilder
    table: pa.Table
    side: np.ndarray
    official: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray
    repeated: np.ndarray
    silent: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def batches(self) -> Iterator[tuple[int, pa.Table]]:
        """Slices of the table with the number of their first row."""
        for start in range(0, len(self.table), ROWS_AT_ONCE):
            yield start, self.table.slice(start, ROWS_AT_ONCE)


def parse(builder: CorpusBuilder, num_proc: int | None = None) -> ParsedSource:
    """Parse a source, or take its rows from the cache.

    Raises:
        DataError: A raw file is broken, or two different records have one id.
    """
    try:
        builder.download_and_prepare(num_proc=num_proc)
    except DatasetGenerationError as error:
        if isinstance(error, DataError):
            raise
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:  # no fault of the raw files
            raise cause from error
        raise DataError(f"{builder.raw_dir}: {builder.INFO.name} could not be parsed: {cause}") from error
    parts = {split: rows.data.table for split, rows in builder.as_dataset().items()}
    table = pa.concat_tables(parts.values())
    side = np.repeat([SPLITS.index(split) for split in parts], [len(t) for t in parts.values()]).astype(np.int8)
    without_split = np.asarray(pc.equal(table["original_split"], ALL))
    starts, hashes = _utterances(table)
    repeated = _repeated(builder.INFO.name, table, starts, hashes)
    silent = (np.diff(starts) == 0) & ~repeated
    official = np.where(without_split, NO_SPLIT, side)
    official = np.where(repeated | silent, LEFT_OUT, official).astype(np.int8)
    return ParsedSource(builder, table, side, official, starts, hashes, repeated, silent)


def turn_texts(turns: pa.ListArray) -> pa.ListArray:
    """The texts of dialogues' turns, without a copy: list of string from list of turns."""
    offsets = turns.offsets.to_numpy()
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), pc.struct_field(turns.flatten(), "text"))


def _utterances(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    lengths, hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        if "turns" in batch.schema.names:
            texts = turn_texts(batch["turns"])
            lengths.append(np.diff(texts.offsets.to_numpy()))
            hashes.append(text_hashes(texts.values))
        else:
            lengths.append(np.ones(len(batch), np.int64))
            hashes.append(text_hashes(batch["utterance"]))
    return np.concatenate([[0], np.cumsum(np.concatenate(lengths))]), np.concatenate(hashes)


def _repeated(name: str, table: pa.Table, starts: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Rows whose id came before. Ids are unique: everything that joins rows relies on it."""
    ids = table.column(0).combine_chunks().dictionary_encode()
    first: dict[int, int] = {}
    repeated = np.zeros(len(table), bool)
    if len(ids.dictionary) == len(table):
        return repeated
    for row, code in enumerate(ids.indices.to_pylist()):
        earlier = first.setdefault(code, row)
        if earlier != row:
            repeated[row] = True
            said, said_before = (hashes[starts[i] : starts[i + 1]] for i in (row, earlier))
            if not np.array_equal(said, said_before):
                where = f"{name}: two different records have the id {ids.dictionary[code].as_py()!r}"
                raise DataError(f"{where}; the raw folder mixes two releases, keep one")
    return repeated
