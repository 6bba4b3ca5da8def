"""Which pairs are held out: whole dialogues, seeded, and nothing that training also sees."""

from __future__ import annotations

import numpy as np


def held_out_rows(
    dialogues: np.ndarray, keys: np.ndarray, share: float, seed: int, stated: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Divide n pairs into training and validation.

    Dialogues that consist of the same pairs count as one and stay together. A dialogue of the validation side loses the
    pairs that training has too (`"Thanks!" -> "You are welcome."` is in every second conversation): keeping all
    conversations together that share one would leave nothing to divide.

    Args:
        dialogues: int64 `[n]`, one number a dialogue.
        keys: int64 `[n]`, equal for equal pairs.
        share: Of the distinct dialogues that is held out, 0 to below 1. Above 0 it is at least one, and one is always
            left for training.
        seed: Of the choice.
        stated: bool `[n]`, pairs that the data itself holds out; where there are any, the share does not count.

    Returns:
        Ascending rows for training, ascending rows for validation, and the number of pairs that validation lost.
    """
    out = stated if stated.any() else _chosen(_contents(dialogues, keys), share, seed)
    leaking = out & np.isin(keys, keys[~out])
    return np.flatnonzero(~out), np.flatnonzero(out & ~leaking), int(leaking.sum())


def _contents(dialogues: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """int64 `[n]`: equal for pairs of one dialogue and of dialogues that consist of the same pairs."""
    said: dict[int, list[int]] = {}
    for dialogue, key in zip(dialogues.tolist(), keys.tolist(), strict=True):
        said.setdefault(dialogue, []).append(key)
    numbers: dict[tuple[int, ...], int] = {}
    content = {dialogue: numbers.setdefault(tuple(own), len(numbers)) for dialogue, own in said.items()}
    return np.fromiter((content[dialogue] for dialogue in dialogues.tolist()), dtype=np.int64, count=len(dialogues))


def _chosen(units: np.ndarray, share: float, seed: int) -> np.ndarray:
    count = int(units.max()) + 1 if len(units) else 0
    size = min(max(round(share * count), 1), count - 1) if share > 0 and count else 0
    return np.isin(units, np.random.default_rng(seed).choice(count, size=size, replace=False) if size else [])
