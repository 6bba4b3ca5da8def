"""Pairs of utterances with the same label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def same_label_pairs(texts: Sequence[str], labels: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pair each utterance with another of its label: both sides see every text once.

    Repeated texts of a label count once, and a label with a single text gives no pair.

    Args:
        texts: n utterances.
        labels: n labels.
        seed: Seed of the choice of partners.

    Returns:
        int64 `[m]` anchors and `[m]` positives, numbers of utterances.
    """
    distinct = np.fromiter(dict(zip(zip(labels, texts, strict=True), range(len(texts)), strict=True)).values(), int)
    distinct.sort()
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(labels[i], len(numbers)) for i in distinct], dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(distinct))
    order = order[np.argsort(groups[order], kind="stable")]
    sizes = np.bincount(groups)
    ends = np.cumsum(sizes)
    following = np.arange(1, len(order) + 1)
    following[ends[sizes > 0] - 1] = (ends - sizes)[sizes > 0]  # the last of a label is paired with its first
    keep = sizes[groups[order]] > 1
    return distinct[order[keep]], distinct[order[following[keep]]]
