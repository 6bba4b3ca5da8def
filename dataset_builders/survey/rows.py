"""The rows of several sources, one after the other: what the survey looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataset_builders.survey.decisions import blocking_ids
from dataset_builders.survey.leaks import LEFT_OUT, TRAIN, SplitPolicy
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.splits import KEEPS_ITS_SPLITS


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


def part(table: pa.Table, start: int, length: int) -> pa.Table:
    """A copy of some rows: a slice would keep, and write, bits of its neighbours."""
    return table.take(pa.array(np.arange(start, start + length)))
