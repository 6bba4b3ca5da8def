"""How many pairs each source, or each label, gives."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def quotas(sizes: np.ndarray, limit: int, temperature: float) -> np.ndarray:
    """Divide a number of pairs among groups, in proportion to size ** (1 / temperature); none gives more than it has.

    With temperature 1 each gives the same share of its pairs; the higher the temperature, the more equal their numbers.
    What a small group lacks, the others give.

    Args:
        sizes: int `[g]`, number of pairs of each group.
        limit: Number of pairs in all.
        temperature: 1 or more.

    Returns:
        int64 `[g]`, with the sum `min(limit, sizes.sum())`.

    References:
        Temperature-based sampling of multilingual pretraining: Conneau et al. 2020, https://arxiv.org/abs/1911.02116.

    >>> quotas(np.array([1000, 100, 10]), 111, 1.0), quotas(np.array([1000, 100, 10]), 111, 100.0)
    (array([100,  10,   1]), array([51, 50, 10]))
    """
    sizes = np.asarray(sizes, dtype=np.int64)
    limit = min(limit, int(sizes.sum()))
    weights = sizes.astype(np.float64) ** (1 / temperature)
    shares, open_groups = np.zeros(len(sizes)), sizes > 0
    while open_groups.any():
        rest = limit - shares[~open_groups].sum()
        shares[open_groups] = rest * weights[open_groups] / weights[open_groups].sum()
        full = open_groups & (shares >= sizes)
        if not full.any():
            break
        shares[full] = sizes[full]
        open_groups &= ~full
    counts = np.floor(shares + 1e-9).astype(np.int64)
    missing = limit - int(counts.sum())
    first = np.argsort(-(shares - counts), kind="stable")
    first = first[counts[first] < sizes[first]][:missing]  # the largest remainders get one more
    counts[first] += 1
    return counts


def mixed_rows(keys: Sequence[Hashable], limit: int | None, temperature: float, seed: int) -> np.ndarray:
    """Choose rows of several groups.

    Args:
        keys: Group of each of n rows.
        limit: Maximum number of rows. None: all.
        temperature: See `quotas`.
        seed: Seed of the choice within a group.

    Returns:
        int64, the numbers of the chosen rows, ascending.
    """
    if limit is None or limit >= len(keys):
        return np.arange(len(keys))
    numbers: dict[Hashable, int] = {}
    groups = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    order = np.random.default_rng(seed).permutation(len(keys))
    by_group = order[np.argsort(groups[order], kind="stable")]
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    counts = quotas(sizes, limit, temperature)
    samples = [by_group[start : start + count] for start, count in zip(starts, counts, strict=True)]
    return np.sort(np.concatenate(samples))
