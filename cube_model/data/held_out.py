"""Which pairs are held out for validation: whole dialogues, and no pair that training has, too."""

from __future__ import annotations

import numpy as np


def split_rows(
    dialogues: np.ndarray, keys: np.ndarray, share: float, seed: int, held_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Split n pairs into training and validation.

    Dialogues with equal pairs count as one and stay together. A validation dialogue loses the pairs that training has
    too (`"Thanks!" -> "You are welcome."` is in every second conversation): keeping all conversations that share a pair
    together would leave nothing to split.

    Args:
        dialogues: int64 `[n]`, the dialogue of each pair.
        keys: int64 `[n]`, equal for equal pairs.
        share: Share of the distinct dialogues held out for validation, from 0 to below 1. Above 0 it is at least one
            dialogue, and at least one is left for training.
        seed: Random seed of the split.
        held_out: bool `[n]`, pairs of validation files; if there are any, exactly these are held out.

    Returns:
        Ascending rows for training, ascending rows for validation, and the number of pairs that validation lost.
    """
    in_validation = held_out if held_out.any() else _sample_contents(_contents(dialogues, keys), share, seed)
    duplicate = in_validation & np.isin(keys, keys[~in_validation])
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation & ~duplicate), int(duplicate.sum())


def _contents(dialogues: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """int64 `[n]`: equal for pairs of the same dialogue or of dialogues with equal pairs."""
    keys_of_dialogue: dict[int, list[int]] = {}
    for dialogue, key in zip(dialogues.tolist(), keys.tolist(), strict=True):
        keys_of_dialogue.setdefault(dialogue, []).append(key)
    numbers: dict[tuple[int, ...], int] = {}
    content = {
        dialogue: numbers.setdefault(tuple(own_keys), len(numbers)) for dialogue, own_keys in keys_of_dialogue.items()
    }
    return np.fromiter((content[dialogue] for dialogue in dialogues.tolist()), dtype=np.int64, count=len(dialogues))


def _sample_contents(contents: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Boolean `[n]`: True for the pairs of a random share of the contents."""
    count = int(contents.max()) + 1 if len(contents) else 0
    size = min(max(round(share * count), 1), count - 1) if share > 0 and count else 0
    return np.isin(contents, np.random.default_rng(seed).choice(count, size=size, replace=False) if size else [])
