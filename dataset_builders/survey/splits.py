"""Assignment of rows to splits: official where the source has one, else seeded by all that belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.common.choices import SHARES, SPLITS
from dataset_builders.survey.components import big_from, sizes_by_source
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, TRAIN, SplitPolicy, group_splits
from dataset_builders.survey.parallel import Parallel

TRAIN_SHARE = SHARES["train"] / sum(SHARES.values())

KEEPS_ITS_SPLITS = "multiwoz"
"""The only corpus that keeps its splits under the policy `original`."""

_KEYS_AT_ONCE = 10_000
"""Keys that are Python objects at once."""

Join = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Joins groups that belong together: called with the numbers of some rows and their groups, both of shape (n,), it
returns the component of each of these rows."""


def seeded_splits(
    official: np.ndarray, groups: np.ndarray, keys: pa.Array | pa.ChunkedArray, sources: np.ndarray, seed: int
) -> np.ndarray:
    """Replace `NO_SPLIT` by seeded splits, so that each source has `SHARES` of its rows in them.

    The groups of a source are put in the order of a hash of seed and key, the big ones (`components.BIG`) before all
    others, and fill train, then validation, then test. So a few groups are all in train, and a few more rows move only
    groups at the bounds.

    Args:
        official: Official split of each row, `NO_SPLIT` or `DROPPED`; int8 of shape (n,).
        groups: Group of each row, integers of shape (n,); its rows are put into the same split.
        keys: Key of each row, n strings. The least key of a group stands for it.
        sources: Source of each row, integers from 0; shape (n,).
        seed: Random seed of the order.

    Returns:
        Split of each row or `DROPPED`, int8 of shape (n,). It does not depend on the order of the rows.
    """
    split = official.copy()
    rows = np.flatnonzero(official == NO_SPLIT)
    if not len(rows):
        return split
    _, group = np.unique(groups[rows], return_inverse=True)
    by_key = np.asarray(pc.sort_indices(keys.take(pa.array(rows))))
    _, first = np.unique(group[by_key], return_index=True)
    position = _positions(keys.take(pa.array(rows[by_key[first]])), seed)
    sizes = sizes_by_source(group, sources[rows])
    home = np.argmax(sizes / np.maximum(sizes.sum(axis=0), 1), axis=1)  # the source that has most of its rows there
    split_of = np.empty(len(sizes), np.int8)
    for source in np.unique(home).tolist():
        of_source = np.flatnonzero(home == source)
        split_of[of_source] = _fill(sizes[of_source].sum(axis=1), position[of_source])
    split[rows] = split_of[group]
    return split


def _positions(keys: pa.Array | pa.ChunkedArray, seed: int) -> np.ndarray:
    """Places of n keys in the seeded order, 0 to 2^64 - 1; uint64 of shape (n,)."""
    positions, prefix = np.empty(len(keys), np.uint64), f"{seed}/".encode()
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        part = keys.slice(start, _KEYS_AT_ONCE).cast(pa.binary()).to_pylist()
        digests = b"".join(hashlib.blake2b(prefix + key, digest_size=8).digest() for key in part)
        positions[start : start + len(part)] = np.frombuffer(digests, ">u8")
    return positions


def _fill(sizes: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Fill the splits with the groups of a source, one split after the other.

    Args:
        sizes: Number of rows of each of g groups, shape (g,).
        position: Place of each group in the seeded order, uint64 of shape (g,).

    Returns:
        Index in `SPLITS` of each group, int8 of shape (g,).
    """
    rest = np.lexsort((position, np.where(sizes > big_from(sizes.sum()), -sizes, 0)))
    split, tenths = np.full(len(sizes), len(SPLITS) - 1, np.int8), sum(SHARES.values())
    for number, share in enumerate(SHARES.values()):
        ends = np.cumsum(sizes[rest])
        twice_middle = 2 * ends - sizes[rest]  # whole numbers, so that a bound is the same on every machine
        count = int((twice_middle * tenths < 2 * share * ends[-1:]).sum())
        split[rest[:count]] = number
        rest, tenths = rest[count:], tenths - share
    return split


def assign(
    official: np.ndarray,
    groups: np.ndarray,
    group_keys: pa.Array | pa.ChunkedArray,
    row_keys: pa.Array | pa.ChunkedArray,
    sources: np.ndarray,
    policy: SplitPolicy,
    seed: int,
    parallel: Parallel,
    join: Join | None = None,
) -> np.ndarray:
    """Assign every row to a split.

    Under `leak-free`, a group is in one split only: the latest official split of its rows. Rows without an official
    split join that split; rows with an earlier official split are dropped. The same holds for translations.

    Args:
        official: Official split of each row, `NO_SPLIT` or `DROPPED`; int8 of shape (n,).
        groups: Group of duplicates of each row, integers of shape (n,).
        group_keys: Key of each row's group, n strings. Decides the seeded split of a group without an official one.
        row_keys: Key of each row, n strings. Decides its seeded split under the other policies.
        sources: Source of each row, integers from 0; shape (n,).
        policy: See `leaks.SplitPolicy`. `original` acts like `official` here; `Rows.official_under` handles it.
        seed: Random seed of the splits.
        parallel: The rows that have translations.
        join: Under `leak-free`, joins the groups without an official split that must not be separated.

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
    if join:
        free = np.flatnonzero(inherited == NO_SPLIT)
        groups = groups.copy()
        groups[free] = join(free, groups[free])
    split = seeded_splits(inherited, groups, group_keys, sources, seed)
    if is_linked:  # translations without an official split may have taken their group into a later one
        latest = parallel.with_splits(group_splits(own_groups, split), split).latest
    split[(official >= TRAIN) & (official < latest)] = DROPPED
    return split


def split_by_row(official: np.ndarray, keys: pa.Array | pa.ChunkedArray, sources: np.ndarray, seed: int) -> np.ndarray:
    """`seeded_splits` of rows by themselves, whatever their duplicates."""
    return seeded_splits(official, np.arange(len(official)), keys, sources, seed)
