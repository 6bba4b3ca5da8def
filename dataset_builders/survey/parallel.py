"""Translations: rows with one `parallel_id` belong into one split, whatever their source and language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.survey.leaks import NO_SPLIT, TRAIN, GroupSplits, count_leaks, group_splits


@dataclass(frozen=True)
class Parallel:
    """The rows of some sources that have a `parallel_id`.

    Attributes:
        rows: Their numbers, ascending, shape (p,).
        groups: Equal for equal ids, shape (p,).
    """

    rows: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(cls, tables: Sequence[pa.Table]) -> Parallel:
        """Find the rows, numbered one source after the other."""
        chunks = [chunk for table in tables for chunk in table["parallel_id"].chunks]
        ids = pa.chunked_array(chunks, pa.string())
        if ids.null_count == len(ids):
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
        rows = np.flatnonzero(np.asarray(pc.is_valid(ids)))
        encoded = ids.drop_null().combine_chunks().dictionary_encode()
        return cls(rows, np.asarray(encoded.indices, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def joined(self, groups: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Join the groups of free rows that have translations of each other.

        Args:
            groups: Group of each of the n rows, integers of shape (n,).
            free: Whether a row's split is still open, bool of shape (n,).

        Returns:
            Groups, shape (n,); those of rows that are not free are not changed.
        """
        mine = free[self.rows]
        if not mine.any():
            return groups
        rows = np.flatnonzero(free)
        place = np.searchsorted(rows, self.rows[mine])
        _, label = np.unique(groups[rows], return_inverse=True)
        group, parallel = label.copy(), self.groups[mine]
        while True:  # each pass goes one link further; chains are short
            before = label.copy()
            lower(label, np.arange(len(rows)), group)
            lower(label, place, parallel)
            if np.array_equal(label, before):
                break
        result = groups.copy()
        first = np.full(int(label.max()) + 1, len(rows))
        np.minimum.at(first, label, np.arange(len(rows)))
        result[rows] = groups[rows[first[label]]]
        return result

    def with_splits(self, of_groups: GroupSplits, split: np.ndarray) -> GroupSplits:
        """Splits of each row's group and of its translations together.

        Args:
            of_groups: Splits of the n rows' groups.
            split: Split of each row, int8 of shape (n,).
        """
        if not len(self):
            return of_groups
        mine = group_splits(self.groups, split[self.rows])
        earliest, latest, blocking = of_groups.earliest.copy(), of_groups.latest.copy(), of_groups.blocking.copy()
        has_split = mine.earliest >= TRAIN
        before = has_split & ((mine.earliest < earliest[self.rows]) | (earliest[self.rows] == NO_SPLIT))
        earliest[self.rows[before]] = mine.earliest[before]
        later = mine.latest > latest[self.rows]
        latest[self.rows[later]] = mine.latest[later]
        blocking[self.rows[later]] = self.rows[mine.blocking[later]]
        return GroupSplits(earliest, latest, blocking)

    def blocking(self, groups: np.ndarray, official: np.ndarray, assigned: GroupSplits) -> np.ndarray:
        """Number of the row that keeps each row out of an earlier split: one with an official split, if there is any.

        Args:
            groups: Group of each of the n rows, shape (n,).
            official: Official split of each row, int8 of shape (n,).
            assigned: Splits of each row's group and translations after the assignment.
        """
        blocking = self.with_splits(group_splits(groups, official), official)
        return np.where(blocking.latest == assigned.latest, blocking.blocking, assigned.blocking)

    def leaks(self, split: np.ndarray, sources: np.ndarray, names: list[str]) -> dict[str, dict]:
        """`leaks.count_leaks` of translations, for the sources that have some."""
        return count_leaks(self.groups, split[self.rows], sources[self.rows], names) if len(self) else {}


def lower(label: np.ndarray, place: np.ndarray, groups: np.ndarray) -> None:
    """Give the labels at these places the least label of their group."""
    least = np.full(int(groups.max()) + 1, len(label))
    np.minimum.at(least, groups, label[place])
    label[place] = least[groups]
