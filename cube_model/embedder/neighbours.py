"""An order of pairs in which neighbouring pairs of a dialogue, which share turns, stay together."""

from __future__ import annotations

import numpy as np


class NeighboursTogether:
    """Shuffles runs of consecutive pairs of a dialogue.

    Args:
        dialogues: int `[n]`, the dialogue of each pair; pairs of a dialogue follow each other.
        size: Maximum number of pairs of a run; 1 shuffles the pairs.
    """

    def __init__(self, dialogues: np.ndarray, size: int) -> None:
        self._dialogues, self._size = dialogues, size

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw an order of the pairs at `rows`, int `[k]`, in ascending order; runs begin elsewhere in each draw."""
        if self._size == 1:
            return rng.permutation(rows)
        dialogues = self._dialogues[rows]
        starts = np.flatnonzero(np.r_[True, dialogues[1:] != dialogues[:-1]])
        lengths = np.diff(np.r_[starts, len(rows)])
        within = np.arange(len(rows)) - np.repeat(starts - rng.integers(self._size, size=len(starts)), lengths)
        first = np.r_[True, dialogues[1:] != dialogues[:-1]] | (within % self._size == 0)
        runs = np.split(rows, np.flatnonzero(first)[1:])
        return np.concatenate([runs[i] for i in rng.permutation(len(runs))])
