"""Which side of train / validation / test a row may stand on, so that no duplicate stands on two sides.

Works on groups: rows of one group are duplicates of each other (a cluster of dialogues, pairs of equal texts, equal
utterances). Test goes before validation, and validation before train: the later side keeps its rows, the earlier one
loses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from dataset_builders.common.errors import DataError
from dataset_builders.schema import SPLITS

SplitPolicy = Literal["leak-free", "official", "original"]
"""`leak-free`: official splits, then no duplicate on two sides. `official`: official splits as they are, leaks only
flagged. `original`: as the first dialogue data platform did, every dialogue corpus but MultiWOZ goes into train."""

POLICIES: tuple[SplitPolicy, ...] = get_args(SplitPolicy)

TRAIN, VALIDATION, TEST = range(len(SPLITS))
"""Numbers of `SPLITS`, in the order in which duplicates are resolved: the highest keeps its rows."""

NO_SPLIT = -1
"""The source has no split of its own: `assign` chooses one."""

LEFT_OUT = -2
"""The row stands nowhere."""


def check_policy(name: str) -> SplitPolicy:
    """The policy of that name.

    Raises:
        DataError: There is none.
    """
    for policy in POLICIES:
        if name == policy:
            return policy
    raise DataError(f"no split policy {name!r}; expected one of {', '.join(POLICIES)}")


@dataclass(frozen=True)
class Sides:
    """Where the other members of each row's group stand; arrays of shape (n,).

    Attributes:
        first: Earliest side of the group (`TRAIN` .. `TEST`, `NO_SPLIT` when no member has a side).
        last: Latest side.
        blocking: Row number of the first member on the latest side; -1 when no member has a side.
    """

    first: np.ndarray
    last: np.ndarray
    blocking: np.ndarray


def sides(groups: np.ndarray, split: np.ndarray) -> Sides:
    """Look at all rows of each row's group.

    Args:
        groups: Group of each row, any dtype, shape (n,).
        split: int8 of shape (n,); rows below `TRAIN` are in no group's sides.
    """
    if not len(groups):
        return Sides(split, split, np.zeros(0, np.int64))
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    placed = split >= TRAIN
    first, last = np.full(count, len(SPLITS), np.int8), np.full(count, NO_SPLIT, np.int8)
    np.minimum.at(first, group[placed], split[placed])
    np.maximum.at(last, group[placed], split[placed])
    first[first == len(SPLITS)] = NO_SPLIT
    blocking = np.full(count, len(groups), np.int64)
    latest = np.flatnonzero(placed & (split == last[group]))
    np.minimum.at(blocking, group[latest], latest)
    blocking[blocking == len(groups)] = -1
    return Sides(first[group], last[group], blocking[group])


def leaking(groups: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Which rows have a duplicate on a later side: bool of shape (n,)."""
    return (split >= TRAIN) & (split < sides(groups, split).last)


def count_leaks(groups: np.ndarray, split: np.ndarray, sources: np.ndarray, names: list[str]) -> dict[str, dict]:
    """Rows of an earlier side that have a duplicate on a later one.

    Args:
        groups: Group of each row.
        split: int8 side of each row.
        sources: Number of each row's source, an index in `names`.
        names: Names of the sources.

    Returns:
        Source -> {"train-test": n, "train-validation": n, "validation-test": n}; sources without a row are left out.
    """
    _, group = np.unique(groups, return_inverse=True)
    on_side = np.zeros((len(SPLITS), int(group.max()) + 1 if len(group) else 0), bool)
    for side in range(len(SPLITS)):
        on_side[side, group[split == side]] = True
    table: dict[str, dict[str, int]] = {names[number]: {} for number in np.unique(sources).tolist()}
    for earlier, later in ((TRAIN, TEST), (TRAIN, VALIDATION), (VALIDATION, TEST)):
        found = (split == earlier) & on_side[later][group]
        for name, count in zip(names, np.bincount(sources[found], minlength=len(names)).tolist(), strict=True):
            if name in table:
                table[name][f"{SPLITS[earlier]}-{SPLITS[later]}"] = count
    return table


def duplicate_matrix(groups: np.ndarray, sources: np.ndarray, names: list[str]) -> dict[str, int]:
    """Rows of source A that have a duplicate in source B; for A = B, in another row of A.

    Args:
        groups: Group of duplicates of each row, shape (n,).
        sources: Number of each row's source, an index in `names`.
        names: Names of the sources.

    Returns:
        `"A|B"` -> number of rows of A; entries of zero are left out. Not symmetric: one row of A may have many in B.
    """
    if not len(groups):
        return {}
    _, group = np.unique(groups, return_inverse=True)
    members = [np.bincount(group[sources == number], minlength=int(group.max()) + 1) for number in range(len(names))]
    table = {}
    for a, name in enumerate(names):
        for b, other in enumerate(names):
            found = (members[b] > (1 if a == b else 0)) & (members[a] > 0)
            if rows := int(members[a][found].sum()):
                table[f"{name}|{other}"] = rows
    return table
