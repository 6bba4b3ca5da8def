"""The survey's decisions about rows in memory, without shards and files: what the stages have to find, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.chunks import take
from dataset_builders.common.choices import SHARES, SPLITS, SplitPolicy
from dataset_builders.survey.components import big_from, sizes_by_source
from dataset_builders.survey.fill import positions_of
from dataset_builders.survey.leaks import (
    DROPPED,
    NO_SPLIT,
    TRAIN,
    GroupSplits,
    by_source,
    group_splits,
    leak_counts,
    matrix,
    overlaps,
    with_twins,
)
from dataset_builders.survey.translations import link, merge
from dataset_builders.text.normalize import ids_of_hashes

Keys: TypeAlias = "pa.Array | pa.ChunkedArray | np.ndarray"
"""Keys of rows: strings, or hashes of which the ids (`id_of_hash`) are the keys, uint64."""


@dataclass(frozen=True)
class Parallel:
    """The rows of some sources that have a `parallel_id`.

    Attributes:
        rows: Their numbers, ascending, shape (p,).
        groups: Equal for equal ids, shape (p,).
    """

    rows: np.ndarray
    groups: np.ndarray

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


def seeded_splits(
    official: np.ndarray,
    groups: np.ndarray | None,
    keys: Keys,
    sources: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Replace `NO_SPLIT` by seeded splits, so that each source has `SHARES` of its rows in them.

    The groups of a source are put in the order of a hash of seed and key, the big ones (`components.BIG`) before all
    others, and fill train, then validation, then test. So a few groups are all in train, and a few more rows move only
    groups at the bounds.

    Args:
        official: Official split of each row, `NO_SPLIT` or `DROPPED`; int8 of shape (n,).
        groups: Group of each row, integers of shape (n,); its rows are put into the same split. None if each row is
            a group.
        keys: Key of each of the n rows. The least key of a group stands for it.
        sources: Source of each row, integers from 0; shape (n,).
        seed: Random seed of the order.

    Returns:
        Split of each row or `DROPPED`, int8 of shape (n,). It does not depend on the order of the rows.
    """
    split = official.copy()
    rows = np.flatnonzero(official == NO_SPLIT).astype(np.int32)
    if not len(rows):
        return split
    # most groups are single rows
    twins = with_twins(groups[rows]) if groups is not None else rows[:0]
    alone, together = np.delete(rows, twins), rows[twins]
    first, group = _first_by_key(groups[together], keys, together) if groups is not None else (together, together)
    by_source = sizes_by_source(group, sources[together])
    totals = np.maximum(np.bincount(sources[rows], minlength=by_source.shape[1]), 1)
    most = np.argmax(by_source / totals[: by_source.shape[1]], axis=1)  # the source with most of its rows there
    home = np.concatenate([sources[alone], most.astype(sources.dtype)])
    sizes = np.concatenate([np.ones(len(alone), np.int32), by_source.sum(axis=1, dtype=np.int32)])
    position = _positions(keys, np.concatenate([alone, first]), seed)
    split_of = np.empty(len(sizes), np.int8)
    for source in np.flatnonzero(np.bincount(home)).tolist():
        of_source = home == source
        split_of[of_source] = _fill(sizes[of_source], position[of_source])
    split[alone] = split_of[: len(alone)]
    split[together] = split_of[len(alone) :][group]
    return split


def _first_by_key(groups: np.ndarray, keys: Keys, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row with the least key of each group, and the number of the group of each of n rows.

    Args:
        groups: Group of each row, shape (n,).
        keys: Keys of all rows.
        rows: Numbers of the rows, shape (n,).
    """
    _, group = np.unique(groups, return_inverse=True)
    by_key = np.asarray(pc.sort_indices(_keys_of(keys, rows)))
    return rows[by_key[np.unique(group[by_key], return_index=True)[1]]], group


def _keys_of(keys: Keys, rows: np.ndarray) -> pa.Array:
    """Keys of the rows of these numbers, as strings."""
    return ids_of_hashes(keys[rows]) if isinstance(keys, np.ndarray) else take(keys, rows)


def _positions(keys: Keys, rows: np.ndarray, seed: int) -> np.ndarray:
    """`positions_of` the keys of n rows."""
    return positions_of(_keys_of(keys, rows).cast(pa.binary()).to_pylist(), seed)


def _fill(sizes: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Fill the splits with the groups of a source, one split after the other.

    Args:
        sizes: Number of rows of each of g groups, shape (g,).
        position: Place of each group in the seeded order, uint64 of shape (g,).

    Returns:
        Index in `SPLITS` of each group, int8 of shape (g,).
    """
    is_big = sizes > big_from(sizes.sum())
    big, small = np.flatnonzero(is_big), np.flatnonzero(~is_big)
    big, small = big[np.lexsort((position[big], -sizes[big]))], small[np.argsort(position[small], kind="stable")]
    order = np.concatenate([big.astype(np.int32), small.astype(np.int32)])
    del big, small
    sizes = sizes[order]
    total = int(sizes.sum())
    twice_middle = np.cumsum(sizes, dtype=np.int64)
    twice_middle *= 2
    twice_middle -= sizes
    split, tenths, start = np.full(len(sizes), len(SPLITS) - 1, np.int8), sum(SHARES.values()), 0
    for number, share in enumerate(SHARES.values()):
        done = int(twice_middle[start - 1] + sizes[start - 1]) // 2 if start else 0
        # whole numbers, so that a bound is the same on every machine: (twice_middle - 2 done) / 2 < share of the rest
        bound = 2 * share * (total - done) + 2 * done * tenths
        stop = int(np.searchsorted(twice_middle, -(-bound // tenths), "left"))
        split[order[start:stop]] = number
        start, tenths = max(start, stop), tenths - share
    return split


def assign(
    official: np.ndarray,
    groups: np.ndarray,
    group_keys: Keys,
    row_keys: Keys,
    sources: np.ndarray,
    policy: SplitPolicy,
    seed: int,
    parallel: Parallel,
) -> np.ndarray:
    """Assign every row to a split.

    Under `leak-free`, a group is in one split only: the latest official split of its rows. Rows without an official
    split join that split; rows with an earlier official split are dropped. The same holds for translations.

    Args:
        official: Official split of each row, `NO_SPLIT` or `DROPPED`; int8 of shape (n,).
        groups: Group of duplicates of each row, integers of shape (n,).
        group_keys: Key of each row's group. Decides the seeded split of a group without an official one.
        row_keys: Key of each row. Decides its seeded split under the other policies.
        sources: Source of each row, integers from 0; shape (n,).
        policy: See `leaks.SplitPolicy`. `original` acts like `official` here.
        seed: Random seed of the splits.
        parallel: The rows that have translations.

    Returns:
        Split of each row, `DROPPED` for leaks; int8 of shape (n,).
    """
    if policy != "leak-free":
        return split_by_row(official, row_keys, sources, seed)
    latest = parallel.with_splits(group_splits(groups, official), official).latest
    free_rows = official == NO_SPLIT
    is_linked = len(parallel) and free_rows[parallel.rows].any()
    own_groups = groups
    if is_linked:
        groups = parallel.joined(groups, free_rows)
        latest[free_rows] = group_splits(groups[free_rows], latest[free_rows]).latest
    inherited = np.where(free_rows & (latest >= TRAIN), latest, official).astype(np.int8)
    split = seeded_splits(inherited, groups, group_keys, sources, seed)
    if is_linked:  # translations without an official split may have taken their group into a later one
        latest = parallel.with_splits(group_splits(own_groups, split), split).latest
    split[(official >= TRAIN) & (official < latest)] = DROPPED
    return split


def split_by_row(official: np.ndarray, keys: Keys, sources: np.ndarray, seed: int) -> np.ndarray:
    """`seeded_splits` of rows by themselves, whatever their duplicates."""
    return seeded_splits(official, None, keys, sources, seed)


def leaking(groups: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Whether each row has a duplicate in a later split, bool of shape (n,)."""
    return (split >= TRAIN) & (split < group_splits(groups, split).latest)


def count_leaks(
    groups: np.ndarray, split: np.ndarray, sources: np.ndarray, names: list[str], listed: np.ndarray | None = None
) -> dict[str, dict]:
    """Count the rows of each source that have a duplicate in a later split.

    Args:
        groups: Group of each row, shape (n,).
        split: Split of each row, int8 of shape (n,).
        sources: Source of each row as an index in `names`, shape (n,).
        names: Names of the sources.
        listed: Indices of the sources to list; None for those with rows.

    Returns:
        Source -> {"train-test": n, "train-validation": n, "validation-test": n}.
    """
    several = with_twins(groups)
    _, group = np.unique(groups[several], return_inverse=True)
    counts = np.stack([split[several] == index for index in range(len(SPLITS))], axis=1).astype(np.int64)
    listed = np.flatnonzero(np.bincount(sources)) if listed is None else listed
    return by_source(leak_counts(group, sources[several], counts, len(names)), names, listed)


def duplicate_matrix(groups: np.ndarray, sources: np.ndarray, names: list[str]) -> dict[str, int]:
    """Count the rows of each source that have a duplicate in another source, or elsewhere in their own.

    Args:
        groups: Group of each row, shape (n,).
        sources: Source of each row as an index in `names`, shape (n,).
        names: Names of the sources.

    Returns:
        `"A|B"` -> number of rows of A with a duplicate in B; zeros are omitted. Not symmetric, since one row of A may
        have many duplicates in B.
    """
    several = with_twins(groups)
    return matrix(overlaps(groups[several], sources[several], np.ones(len(several), np.int64), len(names)), names)
