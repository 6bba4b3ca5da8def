"""What was decided when all sources were seen: small tables for each source, and figures, that can be kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_ROWS, _PAIRS = "rows.arrow", "pairs.arrow"
_FIGURES, _MEMBERS = "figures.json", "members.parquet"


@dataclass(frozen=True)
class Decisions:
    """Decisions in the source's own numbering, so that they are equal whatever stands beside the source.

    Attributes:
        rows: A row for each of its n rows. `split` (int8: number of the split where it goes, `LEFT_OUT`), `leak` (left
            out, as a duplicate stands on a later side), `blocking` (id of that duplicate), `flagged` (its duplicates
            stand on several sides of the official splits). Of dialogues also `cluster_id`, `benchmark` (says a test
            utterance of an intent set) and `benchmark_turn` (int32: the first such turn of more than the given number
            of words, -1 for none).
        pairs: Of dialogues: a row for each of its m utterances, about the pair that it begins. `leak`, `blocking` (id
            of the equal pair on a later side), `flagged`, `first_in_benchmark` (the utterance is a test utterance of
            an intent set), `benchmark` (so is one side of the pair).
    """

    rows: pa.Table
    pairs: pa.Table | None = None

    def row(self, column: str) -> np.ndarray:
        """A column about the rows, shape (n,)."""
        return np.asarray(self.rows[column])

    def pair(self, column: str) -> np.ndarray:
        """A column about the pairs, shape (m,)."""
        assert self.pairs is not None
        return np.asarray(self.pairs[column])

    def save(self, folder: Path) -> None:
        """Write the tables into a new folder; equal decisions give equal bytes."""
        folder.mkdir(parents=True)
        for name, table in ((_ROWS, self.rows), (_PAIRS, self.pairs)):
            if table is not None:
                with pa.ipc.new_file(folder / name, table.schema) as writer:
                    writer.write_table(table.combine_chunks())

    @classmethod
    def load(cls, folder: Path) -> Decisions:
        """What `save` wrote, memory-mapped."""
        tables = [
            pa.ipc.open_file(pa.memory_map(str(folder / name))).read_all() if (folder / name).exists() else None
            for name in (_ROWS, _PAIRS)
        ]
        assert tables[0] is not None
        return cls(tables[0], tables[1])


@dataclass(frozen=True)
class Survey:
    """What was decided about all sources.

    Attributes:
        decisions: By name of the source.
        leaks: Leaks `before` and `after`, for the report.
        duplicates: Duplicates between sources, for the report.
        members: `schema.CLUSTERS` rows of the clusters of two or more dialogues.
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
        """What `save` wrote of these sources."""
        figures = json.loads((folder / _FIGURES).read_text())
        decisions = {name: Decisions.load(folder / name) for name in names}
        return cls(decisions, figures["leaks"], figures["duplicates"], pq.read_table(folder / _MEMBERS))


def blocking_ids(leaks: np.ndarray, ids: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The ids of blocking rows, one for each leak, at the places of the leaks; null elsewhere."""
    place = np.cumsum(leaks) - 1
    return pa.array(ids.to_pylist(), pa.string()).take(pa.array(place, mask=~leaks))
