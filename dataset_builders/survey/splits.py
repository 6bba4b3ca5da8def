"""The split of rows that have no official one: seeded, by dialogue or by group of duplicates."""

from __future__ import annotations

import hashlib

import numpy as np

from dataset_builders.schema import SPLITS, Split
from dataset_builders.survey.leaks import LEFT_OUT, NO_SPLIT, TRAIN, SplitPolicy, sides

SHARES: dict[Split, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}

KEEPS_ITS_SPLITS = "multiwoz"
"""The one corpus whose splits the first dialogue data platform kept (policy `original`)."""


def seeded_split(key: str, seed: int) -> Split:
    """The split of a key: a hash of seed and key, so that it depends on no other row.

    The shares of `SHARES` are met on average, not exactly.
    """
    digest = hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    for split, share in SHARES.items():
        if position < share:
            return split
        position -= share
    return "test"


def seeded_splits(keys: list[str], official: np.ndarray, seed: int) -> np.ndarray:
    """Official splits, with `NO_SPLIT` replaced by the seeded split of the row's key; int8 of shape (n,)."""
    split = official.copy()
    for row in np.flatnonzero(official == NO_SPLIT).tolist():
        split[row] = SPLITS.index(seeded_split(keys[row], seed))
    return split


def assign(
    official: np.ndarray, groups: np.ndarray, group_keys: list[str], row_keys: list[str], policy: SplitPolicy, seed: int
) -> np.ndarray:
    """The split of every row under a policy.

    Under `leak-free` a group stands on one side only: the latest side of its official members. Members without an
    official split join them there, official members of an earlier side are left out.

    Args:
        official: int8 of shape (n,): number of the official split, `NO_SPLIT` or `LEFT_OUT`.
        groups: Group of duplicates of each row, shape (n,).
        group_keys: What decides the seeded split of a group without an official member; n strings.
        row_keys: What decides the seeded split of a row where groups do not count; n strings.
        policy: See `leaks.SplitPolicy`; `original` is the caller's, as it goes by source.
        seed: Of the seeded splits.

    Returns:
        int8 of shape (n,), `LEFT_OUT` for rows that must go.
    """
    if policy != "leak-free":
        return seeded_splits(row_keys, official, seed)
    last = sides(groups, official).last
    joined = np.where((official == NO_SPLIT) & (last >= TRAIN), last, official).astype(np.int8)
    split = seeded_splits(group_keys, joined, seed)
    split[(official >= TRAIN) & (official < last)] = LEFT_OUT
    return split
