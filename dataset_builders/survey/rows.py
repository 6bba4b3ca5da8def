"""Rows of several intent sets in one numbering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.chunks import take
from dataset_builders.sources.info import SourceInfo
from dataset_builders.survey.decisions import blocking_ids


@dataclass(frozen=True)
class IntentSet:
    """The rows of an intent set.

    Attributes:
        info: Facts about the set.
        table: The n rows; memory-mapped.
        official: Official splits (`parsed.official_splits`), int8 of shape (n,).
        hashes: Hash of each utterance, uint64 of shape (n,); equal for texts that differ only in case, punctuation and
            spacing.
        repeated: Whether an earlier row is the same record, bool of shape (n,).
    """

    info: SourceInfo
    table: pa.Table
    official: np.ndarray
    hashes: np.ndarray
    repeated: np.ndarray

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True)
class Rows:
    """Rows of several sets, numbered one set after the other.

    Attributes:
        names: Names of the sources.
        source: Source of each row as an index in `names`, int16 of shape (n,).
        first_row: Number of each source's first row, and n at the end.
        ids: Row ids, n strings.
        official: Official splits, int8 of shape (n,).
        hashes: Hash of each utterance, uint64 of shape (n,).
    """

    names: list[str]
    source: np.ndarray
    first_row: list[int]
    ids: pa.ChunkedArray
    official: np.ndarray
    hashes: np.ndarray

    @classmethod
    def of(cls, parsed: Sequence[IntentSet]) -> Rows:
        """Concatenate parsed sources."""
        sizes = [len(p) for p in parsed]
        return cls(
            names=[p.info.name for p in parsed],
            source=np.repeat(np.arange(len(parsed), dtype=np.int16), sizes),
            first_row=np.concatenate([[0], np.cumsum(sizes)]).astype(int).tolist(),
            ids=pa.chunked_array([c for p in parsed for c in p.table.column(0).chunks], pa.string()),
            official=_joined([p.official for p in parsed], np.int8),
            hashes=_joined([p.hashes for p in parsed], np.uint64),
        )

    def __len__(self) -> int:
        return len(self.source)

    def ranges(self) -> Iterator[tuple[str, int, int]]:
        """Name, first row and number of rows of each source."""
        for name, start, end in zip(self.names, self.first_row[:-1], self.first_row[1:], strict=True):
            yield name, start, end - start

    def table(self, split: np.ndarray, leaks: np.ndarray, blocking: np.ndarray, flagged: np.ndarray) -> pa.Table:
        """Columns of `Decisions.rows` for some rows; `blocking` is read only where a row is a leak."""
        ids = take(self.ids, blocking[leaks])
        columns = (pa.array(split, pa.int8()), pa.array(leaks), blocking_ids(leaks, ids), pa.array(flagged))
        return pa.table(dict(zip(("split", "leak", "blocking", "flagged"), columns, strict=True)))


def _joined(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    """One array; a single one is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(0, dtype), *arrays])


def copy_rows(table: pa.Table, start: int, length: int) -> pa.Table:
    """Copy some rows: a slice would keep, and write, bits of its neighbours."""
    return table.take(pa.array(np.arange(start, start + length)))
