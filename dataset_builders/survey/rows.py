"""Rows of several sources in one numbering, the input of the survey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.survey.chunks import take
from dataset_builders.survey.decisions import blocking_ids
from dataset_builders.survey.leaks import DROPPED, TRAIN, SplitPolicy
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.splits import KEEPS_ITS_SPLITS


@dataclass(frozen=True)
class Rows:
    """Rows of several sources, numbered one source after the other.

    Attributes:
        names: Names of the sources.
        source: Source of each row as an index in `names`, int16 of shape (n,).
        first_row: Number of each source's first row, and n at the end.
        ids: Row ids, n strings.
        official: Official splits as in `ParsedSource`, int8 of shape (n,).
        starts: Bounds of each row's utterances in `hashes`, int64 of shape (n + 1,).
        hashes: Hash of each utterance, uint64 of shape (m,).
    """

    names: list[str]
    source: np.ndarray
    first_row: list[int]
    ids: pa.ChunkedArray
    official: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray

    @classmethod
    def of(cls, parsed: Sequence[ParsedSource]) -> Rows:
        """Concatenate parsed sources."""
        sizes = [len(p) for p in parsed]
        return cls(
            names=[p.builder.INFO.name for p in parsed],
            source=np.repeat(np.arange(len(parsed), dtype=np.int16), sizes),
            first_row=np.concatenate([[0], np.cumsum(sizes)]).astype(int).tolist(),
            ids=pa.chunked_array([c for p in parsed for c in p.table.column(0).chunks], pa.string()),
            official=_joined([p.official for p in parsed], np.int8),
            starts=parsed[0].starts if len(parsed) == 1 else _starts(parsed),
            hashes=_joined([p.hashes for p in parsed], np.uint64),
        )

    def __len__(self) -> int:
        return len(self.source)

    def row_of(self, utterances: np.ndarray) -> np.ndarray:
        """Row numbers of the utterances of these numbers."""
        return np.searchsorted(self.starts, utterances, "right") - 1

    def spoken(self) -> np.ndarray:
        """The sources with utterances, as indices in `names`."""
        firsts = zip(self.first_row[:-1], self.first_row[1:], strict=True)
        return np.flatnonzero([self.starts[end] > self.starts[start] for start, end in firsts])

    def ranges(self) -> Iterator[tuple[str, int, int]]:
        """Name, first row and number of rows of each source."""
        for name, start, end in zip(self.names, self.first_row[:-1], self.first_row[1:], strict=True):
            yield name, start, end - start

    def pair_ids(self, utterances: np.ndarray) -> pa.Array:
        """Ids of the pairs whose anchors are the utterances of these numbers, as strings."""
        row = self.row_of(utterances)
        numbers = pa.array(utterances - self.starts[row]).cast(pa.string())
        return pc.binary_join_element_wise(take(self.ids, row), numbers, "#")

    def table(self, split: np.ndarray, leaks: np.ndarray, blocking: np.ndarray, flagged: np.ndarray) -> pa.Table:
        """Columns of `Decisions.rows` for some rows; `blocking` is read only where a row is a leak."""
        ids = take(self.ids, blocking[leaks])
        columns = (pa.array(split, pa.int8()), pa.array(leaks), blocking_ids(leaks, ids), pa.array(flagged))
        return pa.table(dict(zip(("split", "leak", "blocking", "flagged"), columns, strict=True)))

    def official_under(self, policy: SplitPolicy) -> np.ndarray:
        """Official splits; under the policy `original`, train for every corpus but `KEEPS_ITS_SPLITS`."""
        if policy != "original":
            return self.official
        moved = self.source != (self.names.index(KEEPS_ITS_SPLITS) if KEEPS_ITS_SPLITS in self.names else -1)
        return np.where(moved & (self.official != DROPPED), TRAIN, self.official).astype(np.int8)


def _joined(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    """One array; a single one is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(0, dtype), *arrays])


def _starts(parsed: Sequence[ParsedSource]) -> np.ndarray:
    return np.cumsum(np.concatenate([[0], *(np.diff(p.starts) for p in parsed)]))


def copy_rows(table: pa.Table, start: int, length: int) -> pa.Table:
    """Copy some rows: a slice would keep, and write, bits of its neighbours."""
    return table.take(pa.array(np.arange(start, start + length)))
