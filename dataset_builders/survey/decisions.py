"""Results of the survey: small tables of decisions for each shard, and figures for the report; all of them in files."""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array, save
from dataset_builders.arrow.mapped import mapped, release
from dataset_builders.common.storage import Storage

FIGURES = "figures.json"


@dataclass(frozen=True)
class Decisions:
    """Decisions about the rows of a shard, in its own row numbers, which do not depend on the other shards of a build.

    Attributes:
        rows: Table of n rows, one for each row of the shard:

            - `split`: split that the row goes to, or `DROPPED` (int8);
            - `leak`: dropped, because a later split has a duplicate;
            - `blocking`: id of that duplicate;
            - `flagged`: the row and its duplicates are in different official splits;
            - `repeated`: an earlier row of the source is the same record;
            - `length`: number of utterances.

            For dialogues also:

            - `cluster_id`;
            - `benchmark`: some turn is a test utterance of an intent set;
            - `benchmark_turn`: index of the first such turn with more than `benchmark_words` words, -1 for none
              (int32).
        pairs: For dialogues, table of m rows, one for each utterance, about the pair with this anchor:

            - `hash`: `text_hashes` of the utterance (uint64);
            - `leak`, `blocking`, `flagged`: as above, for pairs with equal texts;
            - `first_in_benchmark`: the anchor is a test utterance of an intent set;
            - `benchmark`: the anchor or the positive is one.
        maps: Memory maps of the tables.
    """

    rows: pa.Table
    pairs: pa.Table | None = None
    maps: list[mmap.mmap] = field(default_factory=list, repr=False, compare=False)

    @cached_property
    def starts(self) -> np.ndarray:
        """Bounds of the utterances of each row, int64 of shape (n + 1,)."""
        return np.concatenate([[0], np.cumsum(array(self.rows, "length"))])

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

    def save(self, storage: Storage, name: str) -> None:
        """Write the tables; equal decisions give equal bytes.

        Args:
            storage: Where to write.
            name: Name of the shard (`shard_name`).
        """
        save(storage, f"{name}.rows.arrow", self.rows.combine_chunks())
        if self.pairs is not None:
            save(storage, f"{name}.pairs.arrow", self.pairs.combine_chunks())

    @classmethod
    def load(cls, storage: Storage, names: Sequence[str], pairs: bool) -> Decisions:
        """Memory-map the tables that `save` wrote.

        Args:
            storage: Where they are.
            names: Names of the shards (`shard_name`) whose rows follow each other.
            pairs: Whether they have dialogues.
        """
        maps: list[mmap.mmap] = []
        rows, of_pairs = (
            [mapped(storage.fetch(f"{name}.{kind}.arrow"), maps) for name in names if kind == "rows" or pairs]
            for kind in ("rows", "pairs")
        )
        return cls(pa.concat_tables(rows), pa.concat_tables(of_pairs) if pairs else None, maps)


def shard_name(source: str, number: int) -> str:
    """Name of the decisions about a shard of a source, by its number among the parts of the source."""
    return f"{source}/{number:05d}"


@dataclass(frozen=True)
class Survey:
    """Result of the survey of all sources.

    Attributes:
        storage: Where the decisions about each shard are (`Decisions.load`).
        leaks: Numbers of leaks `before` and `after` the decisions, for the report.
        duplicates: Numbers of duplicates between sources, for the report.
        members: Names of the files with the members of the clusters of two or more dialogues (`schema.CLUSTERS`), in
            order.
        member_rows: Number of their rows.
        skipped: What was left out because too many dialogues have it in common: `comparisons` of dialogues, since the
            same `signature parts` are in more than `most_alike` of them; `pairs` of turns that join no dialogues.
    """

    storage: Storage
    leaks: dict[str, dict[str, Any]]
    duplicates: dict[str, Any]
    members: list[str]
    member_rows: int
    skipped: dict[str, int]

    def save(self) -> None:
        """Write the figures beside the decisions; equal surveys give equal bytes."""
        figures = {name: value for name, value in vars(self).items() if name != "storage"}
        with self.storage.create(FIGURES) as path:
            path.write_text(json.dumps(figures, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, storage: Storage) -> Survey:
        """Read the figures that `save` wrote."""
        figures = json.loads(storage.fetch(FIGURES).read_text(encoding="utf-8"))
        return cls(storage, **figures)
