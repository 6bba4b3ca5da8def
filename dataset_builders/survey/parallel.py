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
        _, group = np.unique(groups[rows], return_inverse=True)
        label = link(group, place, self.groups[mine])
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
        result = GroupSplits(*(values.copy() for values in vars(of_groups).values()))
        here = GroupSplits(*(values[self.rows] for values in vars(of_groups).values()))
        for values, merged in zip(vars(result).values(), vars(merge(here, mine, self.rows)).values(), strict=True):
            values[self.rows] = merged
        return result

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


def link(groups: np.ndarray, place: np.ndarray, parallel: np.ndarray) -> np.ndarray:
    """Join groups through translations of translations.

    Args:
        groups: Group of each of n rows, numbers from 0; shape (n,).
        place: Rows that have translations, shape (p,).
        parallel: Their `parallel_id`, numbers from 0; shape (p,).

    Returns:
        The least of all groups that are joined with each row's, shape (n,).
    """
    label, rows = groups.copy(), np.arange(len(groups))
    while len(place):  # each pass goes one link further; chains are short
        before = label.copy()
        _lower(label, rows, groups)
        _lower(label, place, parallel)
        if np.array_equal(label, before):
            break
    return label


def merge(of_groups: GroupSplits, of_translations: GroupSplits, rows: np.ndarray) -> GroupSplits:
    """Splits of each row's group and of its translations together.

    Args:
        of_groups: Splits of the groups of p rows.
        of_translations: Splits of their translations; `blocking` is an index in `rows`.
        rows: Number of each row, shape (p,).
    """
    earliest, latest = of_groups.earliest, of_groups.latest
    has_split = of_translations.earliest >= TRAIN
    is_earlier = has_split & ((of_translations.earliest < earliest) | (earliest == NO_SPLIT))
    is_later = of_translations.latest > latest
    return GroupSplits(
        np.where(is_earlier, of_translations.earliest, earliest).astype(np.int8),
        np.where(is_later, of_translations.latest, latest).astype(np.int8),
        np.where(is_later, rows[np.maximum(of_translations.blocking, 0)], of_groups.blocking),
    )


def _lower(label: np.ndarray, place: np.ndarray, groups: np.ndarray) -> None:
    """Give the labels at these places the least label of their group."""
    least = np.full(int(groups.max()) + 1, len(label))
    np.minimum.at(least, groups, label[place])
    label[place] = least[groups]
