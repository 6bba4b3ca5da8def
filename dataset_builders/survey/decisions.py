"""Results of the survey: a small table of decisions for each source, and figures for the report. Both can be saved."""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.survey.mapped import mapped, release

_ROWS, _PAIRS = "rows.arrow", "pairs.arrow"
_FIGURES, _MEMBERS = "figures.json", "members.parquet"


@dataclass(frozen=True)
class Decisions:
    """Decisions about one source, in its own row numbers, which do not depend on the other sources of the build.

    Attributes:
        rows: Table of n rows, one for each row of the source:

            - `split`: split that the row goes to, or `DROPPED` (int8);
            - `leak`: dropped, because a later split has a duplicate;
            - `blocking`: id of that duplicate;
            - `flagged`: the row and its duplicates are in different official splits.

            For dialogues also:

            - `cluster_id`;
            - `benchmark`: some turn is a test utterance of an intent set;
            - `benchmark_turn`: index of the first such turn with more than `benchmark_words` words, -1 for none
              (int32).
        pairs: For dialogues, table of m rows, one for each utterance, about the pair with this anchor:

            - `leak`, `blocking`, `flagged`: as above, for pairs with equal texts;
            - `first_in_benchmark`: the anchor is a test utterance of an intent set;
            - `benchmark`: the anchor or the positive is one.
        maps: Memory maps of the tables.
    """

    rows: pa.Table
    pairs: pa.Table | None = None
    maps: list[mmap.mmap] = field(default_factory=list, repr=False, compare=False)

    def release(self) -> None:
        """Return the pages of memory-mapped tables to the system."""
        release(self.maps)

    def row(self, column: str, numbers: np.ndarray) -> np.ndarray:
        """A column of the rows of these numbers, shape (numbers,)."""
        return np.asarray(self.rows[column].take(pa.array(numbers)))

    def pair(self, column: str, numbers: np.ndarray) -> np.ndarray:
        """A column of the pairs whose anchors have these numbers, shape (numbers,)."""
        assert self.pairs is not None
        return np.asarray(self.pairs[column].take(pa.array(numbers)))

    def save(self, folder: Path) -> None:
        """Write the tables into a new folder; equal decisions give equal bytes."""
        folder.mkdir(parents=True)
        for name, table in ((_ROWS, self.rows), (_PAIRS, self.pairs)):
            if table is not None:
                with pa.ipc.new_file(folder / name, table.schema) as writer:
                    writer.write_table(table.combine_chunks())

    @classmethod
    def load(cls, folder: Path) -> Decisions:
        """Memory-map the tables that `save` wrote."""
        maps: list[mmap.mmap] = []
        rows = mapped(folder / _ROWS, maps)
        return cls(rows, mapped(folder / _PAIRS, maps) if (folder / _PAIRS).exists() else None, maps)


@dataclass(frozen=True)
class Survey:
    """Result of the survey of all sources.

    Attributes:
        decisions: Decisions about each source, by its name.
        leaks: Numbers of leaks `before` and `after` the decisions, for the report.
        duplicates: Numbers of duplicates between sources, for the report.
        members: Members of the clusters of two or more dialogues (`schema.CLUSTERS`).
    """

    decisions: dict[str, Decisions]
    leaks: dict[str, dict[str, Any]]
    duplicates: dict[str, Any]
    members: pa.Table

    def save(self, folder: Path) -> None:
        """Write everything into an empty folder; equal surveys give equal bytes."""
        for name, decisions in self.decisions.items():
            decisions.save(folder / name)
        (folder / _FIGURES).write_text(json.dumps({"leaks": self.leaks, "duplicates": self.duplicates}, indent=1))
        pq.write_table(self.members, folder / _MEMBERS)

    @classmethod
    def load(cls, folder: Path, names: Sequence[str]) -> Survey:
        """Read what `save` wrote, with the decisions about the named sources."""
        figures = json.loads((folder / _FIGURES).read_text())
        decisions = {name: Decisions.load(folder / name) for name in names}
        return cls(decisions, figures["leaks"], figures["duplicates"], pq.read_table(folder / _MEMBERS))


def blocking_ids(leaks: np.ndarray, ids: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Spread the ids of blocking rows, one for each leak, over the positions of the leaks; null elsewhere."""
    index = np.cumsum(leaks) - 1
    return pa.array(ids.to_pylist(), pa.string()).take(pa.array(index.astype(np.int32), mask=~leaks))
