"""Groups of duplicates with rows in many shards: each shard sums up its own, and a part combines them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array
from dataset_builders.common.choices import SPLITS
from dataset_builders.survey.leaks import NO_SPLIT, GroupSplits
from dataset_builders.survey.plan import Plan

NONE = np.iinfo(np.int64).max
"""In the place of a row: there is none."""

_SPLITS = range(len(SPLITS))


def first_in_splits(group: np.ndarray, count: int, rows: np.ndarray, split: np.ndarray) -> np.ndarray:
    """The first row of each group in each split, or `NONE`.

    Args:
        group: Number of the group of n rows, shape (n,).
        count: Number of groups, g.
        rows: Number of each row, shape (n,).
        split: Index in `SPLITS` of each row's split; others do not count. Shape (n,).

    Returns:
        int64 of shape (g, splits).
    """
    first = np.full((count, len(SPLITS)), NONE, np.int64)
    for index in _SPLITS:
        here = split == index
        np.minimum.at(first[:, index], group[here], rows[here])
    return first


def count_in_splits(group: np.ndarray, count: int, split: np.ndarray) -> np.ndarray:
    """The number of rows of each group in each split, int32 of shape (groups, splits); as `first_in_splits`."""
    counts = [np.bincount(group[split == index], minlength=count) for index in _SPLITS]
    return np.stack(counts, axis=1).astype(np.int32)


def splits_of(first: np.ndarray) -> GroupSplits:
    """The splits of groups, from their first rows in each split, int64 of shape (n, splits)."""
    there = first != NONE
    any_there = there.any(axis=1)
    latest = np.where(any_there, len(SPLITS) - 1 - np.argmax(there[:, ::-1], axis=1), NO_SPLIT).astype(np.int8)
    earliest = np.where(any_there, np.argmax(there, axis=1), NO_SPLIT).astype(np.int8)
    blocking = np.where(any_there, first[np.arange(len(first)), np.maximum(latest, 0)], -1)
    return GroupSplits(earliest, latest, blocking)


def combine(groups: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Combine first rows that several shards found.

    Args:
        groups: Group of each of n records.
        first: Its first row in each split, int64 of shape (n, splits).

    Returns:
        The number of each record's group, shape (n,), and the first rows of each group, int64 of shape (g, splits).
    """
    distinct, group = np.unique(groups, return_inverse=True)
    combined = np.full((len(distinct), len(SPLITS)), NONE, np.int64)
    np.minimum.at(combined, group, first)
    return group, combined


def columns(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """A column for each split, from an array of shape (n, splits)."""
    return {f"{name}{index}": values[:, index] for index in _SPLITS}


def of_columns(table: pa.Table, name: str) -> np.ndarray:
    """The array that `columns` has cut into columns."""
    return np.stack([array(table, f"{name}{index}") for index in _SPLITS], axis=1)


def row_splits(plan: Plan, number: int, name: str, groups: np.ndarray, split: np.ndarray) -> GroupSplits:
    """The splits of the cluster of each row of a shard, from the answers of an exchange about the shared clusters."""
    answers = plan.exchange(name).answers(number, plan.parts)
    order = np.argsort(array(answers, "group"))
    names, first = array(answers, "group")[order], of_columns(answers, "first")[order]
    rows = np.arange(len(groups))
    own = first_in_splits(rows, len(groups), plan.shards[number].first + rows, split)
    if len(names):
        place = np.minimum(np.searchsorted(names, groups), len(names) - 1)
        is_shared = names[place] == groups
        own[is_shared] = first[place[is_shared]]
    return splits_of(own)
