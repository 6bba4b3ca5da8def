"""Assignment of rows to splits: official where the source has one, else seeded by dialogue or group of duplicates."""

from __future__ import annotations

import hashlib

import numpy as np

from dataset_builders.schema import SPLITS, Split
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, TRAIN, SplitPolicy, group_splits

SHARES: dict[Split, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}

KEEPS_ITS_SPLITS = "multiwoz"
"""The only corpus that keeps its splits under the policy `original`."""


def seeded_split(key: str, seed: int) -> Split:
    """Choose the split of a key by a hash of seed and key, independently of all other rows.

    The splits have the sizes of `SHARES` on average, not exactly.
    """
    digest = hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    for split, share in SHARES.items():
        if position < share:
            return split
        position -= share
    return "test"


def seeded_splits(keys: list[str], official: np.ndarray, seed: int) -> np.ndarray:
    """Replace `NO_SPLIT` by the seeded split of the row's key; int8 of shape (n,)."""
    split = official.copy()
    for row in np.flatnonzero(official == NO_SPLIT).tolist():
        split[row] = SPLITS.index(seeded_split(keys[row], seed))
    return split


def assign(
    official: np.ndarray, groups: np.ndarray, group_keys: list[str], row_keys: list[str], policy: SplitPolicy, seed: int
) -> np.ndarray:
    """Assign every row to a split.

    Under `leak-free`, a group is in one split only: the latest official split of its rows. Rows without an official
    split join that split; rows with an earlier official split are dropped.

    Args:
        official: Official split of each row, `NO_SPLIT` or `DROPPED`; int8 of shape (n,).
        groups: Group of duplicates of each row, shape (n,).
        group_keys: Key of each row's group, n strings. Decides the seeded split of a group without an official one.
        row_keys: Key of each row, n strings. Decides its seeded split under the other policies.
        policy: See `leaks.SplitPolicy`. `original` acts like `official` here; `Rows.official_under` handles it.
        seed: Random seed of the splits.

    Returns:
        Split of each row, `DROPPED` for leaks; int8 of shape (n,).
    """
    if policy != "leak-free":
        return seeded_splits(row_keys, official, seed)
    latest = group_splits(groups, official).latest
    inherited = np.where((official == NO_SPLIT) & (latest >= TRAIN), latest, official).astype(np.int8)
    split = seeded_splits(group_keys, inherited, seed)
    split[(official >= TRAIN) & (official < latest)] = DROPPED
    return split
