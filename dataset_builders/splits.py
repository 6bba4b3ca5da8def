"""A seeded split by dialogue for sources that have none of their own."""

from __future__ import annotations

import hashlib

from dataset_builders.schema import Split

SHARES: dict[Split, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


def assign_split(dialogue_id: str, seed: int) -> Split:
    """The split of a dialogue: a hash of seed and id, so that it depends on no other row.

    The shares of `SHARES` are met on average, not exactly.
    """
    digest = hashlib.blake2b(f"{seed}/{dialogue_id}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    for split, share in SHARES.items():
        if position < share:
            return split
        position -= share
    return "test"
