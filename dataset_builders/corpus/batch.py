"""Some rows of a shard while they pass through the checks of a build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataset_builders.schema import SPLITS, Config, Split


@dataclass(frozen=True)
class Batch:
    """Some rows of a shard while they pass through the checks.

    Attributes:
        config: Config of the rows.
        table: The n rows.
        number: Row numbers in the shard, shape (n,); for pairs, the number of the anchor's utterance.
        split: Index in `SPLITS` of each row's split, int8 of shape (n,). A row that will be dropped has the split that
            it would go to.
    """

    config: Config
    table: pa.Table
    number: np.ndarray
    split: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def where(self, mask: np.ndarray) -> Batch:
        """The rows where the mask is true."""
        if mask.all():
            return self
        return Batch(self.config, self.table.filter(pa.array(mask)), self.number[mask], self.split[mask])

    def slice(self, start: int, count: int) -> Batch:
        """Some rows in succession."""
        here = slice(start, start + count)
        return Batch(self.config, self.table.slice(start, count), self.number[here], self.split[here])

    def by_split(self) -> Iterator[tuple[Split, Batch]]:
        """The rows of each split that has any."""
        for index, split in enumerate(SPLITS):
            part = self.where(self.split == index)
            if len(part):
                yield split, part
