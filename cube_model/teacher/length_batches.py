"""Batches of texts of similar length: little padding, and a bound on the tokens that are computed at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def length_batches(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray]:
    """Row numbers of each batch, shortest texts first; a batch of n rows with m as the longest costs n * m tokens.

    Args:
        lengths: Tokens of each text.
        budget: Tokens of one batch, padding among them; a single text may be longer.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= budget:
            stop += 1
        yield order[start:stop]
        start = stop
