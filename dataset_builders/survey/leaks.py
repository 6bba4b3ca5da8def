"""Leaks between splits: duplicates of which one is in train, validation or test, and another in a later split.

The functions work on groups. Rows of one group are duplicates of each other: a cluster of dialogues, pairs with equal
texts, or equal utterances. The latest split wins: test before validation before train. It keeps its rows, and
duplicates in earlier splits are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dataset_builders.common.choices import POLICIES, SPLITS, SplitPolicy
from dataset_builders.common.errors import DataError
from dataset_builders.text.near_duplicates import equal_pairs
from dataset_builders.text.ragged import distinct

TRAIN, VALIDATION, TEST = range(len(SPLITS))
"""Indices in `SPLITS`. Of duplicates in different splits, those with the highest index stay."""

NO_SPLIT = -1
"""The source has no official split for the row; `splits.assign` chooses one."""

DROPPED = -2
"""The row is in no split."""

_ROWS_AT_ONCE = 1 << 18
_MOST_PARTS = 16


def check_policy(name: str) -> SplitPolicy:
    """Validate the name of a split policy.

    Raises:
        DataError: The name is unknown.
    """
    for policy in POLICIES:
        if name == policy:
            return policy
    raise DataError(f"no split policy {name!r}; expected one of {', '.join(POLICIES)}")


@dataclass(frozen=True)
class GroupSplits:
    """Splits of each row's group; arrays of shape (n,).

    Attributes:
        earliest: Earliest split with a row of the group (`TRAIN` .. `TEST`), `NO_SPLIT` if there is none.
        latest: Latest split with a row of the group, or `NO_SPLIT`.
        blocking: Number of the group's first row in its latest split, -1 if there is none.
    """

    earliest: np.ndarray
    latest: np.ndarray
    blocking: np.ndarray


def group_splits(groups: np.ndarray, split: np.ndarray) -> GroupSplits:
    """Find the splits of each row's group.

    Args:
        groups: Group of each row, any dtype, shape (n,).
        split: Split of each row, int8 of shape (n,). Rows with `NO_SPLIT` or `DROPPED` do not count.
    """
    several, numbers = with_twins(groups), np.arange(len(groups))
    alone = np.where(split >= TRAIN, split, NO_SPLIT).astype(np.int8)
    result = GroupSplits(alone, alone.copy(), np.where(split >= TRAIN, numbers, -1))
    if len(several):
        shared = _of_shared(groups[several], split[several])
        result.earliest[several], result.latest[several] = shared.earliest, shared.latest
        result.blocking[several] = np.where(shared.blocking < 0, -1, several[shared.blocking])
    return result


def with_twins(groups: np.ndarray) -> np.ndarray:
    """Numbers of the rows that are not alone in their group, ascending; few in most data, which saves memory.

    Args:
        groups: Group of each row, any dtype, shape (n,).
    """
    shared = _shared_groups(groups)
    parts = [np.zeros(0, np.int64)]
    for start in range(0, len(groups) if len(shared) else 0, _ROWS_AT_ONCE):
        part = groups[start : start + _ROWS_AT_ONCE]
        place = np.minimum(np.searchsorted(shared, part), len(shared) - 1)
        parts.append(start + np.flatnonzero(shared[place] == part))
    return np.concatenate(parts)


def _shared_groups(groups: np.ndarray) -> np.ndarray:
    """The groups with several rows, ascending; sorts one part of the groups after the other, to save memory."""
    count = min(_MOST_PARTS, len(groups) // _ROWS_AT_ONCE + 1) if groups.dtype.kind in "iu" else 1
    shared = [groups[:0]]
    for part in range(count):
        starts = range(0, len(groups), _ROWS_AT_ONCE)
        blocks = (groups[start : start + _ROWS_AT_ONCE] for start in starts)
        parts = [groups] if count == 1 else [groups[:0], *(block[block % count == part] for block in blocks)]
        ordered = np.sort(np.concatenate(parts))
        shared.append(distinct(ordered[1:][ordered[1:] == ordered[:-1]]))
    return np.sort(np.concatenate(shared))


def _of_shared(groups: np.ndarray, split: np.ndarray) -> GroupSplits:
    """`group_splits` of rows with twins."""
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    in_split = split >= TRAIN
    earliest, latest = np.full(count, len(SPLITS), np.int8), np.full(count, NO_SPLIT, np.int8)
    np.minimum.at(earliest, group[in_split], split[in_split])
    np.maximum.at(latest, group[in_split], split[in_split])
    earliest[earliest == len(SPLITS)] = NO_SPLIT
    blocking = np.full(count, len(groups), np.int64)
    in_latest = np.flatnonzero(in_split & (split == latest[group]))
    np.minimum.at(blocking, group[in_latest], in_latest)
    blocking[blocking == len(groups)] = -1
    return GroupSplits(earliest[group], latest[group], blocking[group])


_KINDS = ((TRAIN, TEST), (TRAIN, VALIDATION), (VALIDATION, TEST))
"""Pairs of splits between which duplicates leak."""


def leak_counts(groups: np.ndarray, sources: np.ndarray, counts: np.ndarray, number: int) -> np.ndarray:
    """Count the rows of each source that have a duplicate in a later split.

    Args:
        groups: Group of n sets of rows of one source, shape (n,).
        sources: Number of the source of each set, shape (n,).
        counts: Number of its rows in each split, shape (n, splits).
        number: Number of sources.

    Returns:
        int64 of shape (sources, kinds), for train-test, train-validation and validation-test.
    """
    _, group = np.unique(groups, return_inverse=True)
    in_split = np.zeros((int(group.max(initial=-1)) + 1, len(SPLITS)), bool)
    for index in range(len(SPLITS)):
        in_split[group[counts[:, index] > 0], index] = True
    table = np.zeros((number, len(_KINDS)), np.int64)
    for kind, (earlier, later) in enumerate(_KINDS):
        leaks = np.where(in_split[group, later], counts[:, earlier], 0)
        table[:, kind] = np.bincount(sources, leaks, number)
    return table


def by_source(table: np.ndarray, names: list[str], listed: Iterable[int]) -> dict[str, dict[str, int]]:
    """Figures of `leak_counts` by the names of the listed sources, and of the splits."""
    kinds = [f"{SPLITS[earlier]}-{SPLITS[later]}" for earlier, later in _KINDS]
    return {names[number]: dict(zip(kinds, table[number].tolist(), strict=True)) for number in map(int, listed)}


def overlaps(groups: np.ndarray, sources: np.ndarray, counts: np.ndarray, number: int) -> np.ndarray:
    """Count the rows of each source that have a duplicate in each source; in its own, another one.

    Args:
        groups: Group of n sets of rows of one source, shape (n,).
        sources: Number of the source of each set, shape (n,).
        counts: Number of its rows, shape (n,).
        number: Number of sources.

    Returns:
        int64 of shape (sources, sources).
    """
    table = np.zeros((number, number), np.int64)
    order = np.lexsort((sources, groups))
    groups, sources, counts = groups[order], sources[order].astype(np.int64), counts[order].astype(np.int64)
    new = np.append(True, (groups[1:] != groups[:-1]) | (sources[1:] != sources[:-1]))[: len(groups)]
    first = np.flatnonzero(new)
    groups, sources = groups[first], sources[first]
    counts = np.add.reduceat(counts, first) if len(first) else counts
    several = counts > 1
    np.add.at(table, (sources[several], sources[several]), counts[several])
    for left, right in equal_pairs(groups):
        np.add.at(table, (sources[left], sources[right]), counts[left])
        np.add.at(table, (sources[right], sources[left]), counts[right])
    return table


def matrix(table: np.ndarray, names: list[str]) -> dict[str, int]:
    """Figures of `overlaps` by names, `"A|B"`, without zeros."""
    return {
        f"{a}|{b}": int(table[row, column])
        for row, a in enumerate(names)
        for column, b in enumerate(names)
        if table[row, column]
    }
