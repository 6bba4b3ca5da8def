"""Candidates: pairs of dialogues with a common part of their signatures whose small bitmaps do not exclude them.

The dialogues with the same part of a signature are compared in the order of the hashes of their texts: each with the
next one, with the one after that, and so on. So the result does not depend on the order of the dialogues.

Where very many dialogues are near-duplicates of each other, nearly all pairs remain, which grow with the square of the
dialogues. A task with too many of them begins again, and leaves out most pairs of its crowds: there, a dialogue stays
with the first few that may be similar to it. These are enough to connect the crowd.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array, records
from dataset_builders.survey.plan import ClusterConfig, Plan
from dataset_builders.survey.similar import MergedPairs, bitmaps_of, in_blocks
from dataset_builders.text.near_duplicates import Bitmaps, possible
from dataset_builders.text.ragged import pack

_PAIRS_AT_ONCE = 1 << 15
"""Pairs compared at once."""


def find_candidates(plan: Plan, part: int) -> dict[str, int]:
    """Task of a part: send each pair of dialogues with a common band to the shard of the left one.

    Most pairs of dialogues with the same greeting or disclaimer are rejected by small bitmaps, which come with the
    keys.

    Returns:
        `keys`: number of keys that too many dialogues have; `skipped`: number of their pairs that are not compared.
    """
    bands = _shared_bands(plan, part)
    key, row, maps = array(bands, "key"), array(bands, "row"), bitmaps_of(bands)
    ends = np.searchsorted(key, key, "right")
    compared = np.zeros(len(key), np.int64)
    pairs = _pairs(row, _close(ends, compared, np.zeros(len(key), bool), maps, plan.config), plan.config)
    if pairs is None:
        crowd = ends - np.searchsorted(key, key, "left") > plan.config.crowd
        compared[:] = 0
        pairs = _pairs(row, _close(ends, compared, crowd, maps, plan.config))
    del bands, maps
    missed = ends - 1 - np.arange(len(key)) - compared
    blocks = (records(left=left, right=right) for left, right in in_blocks(pairs))
    groups = ((block, plan.shard_of(array(block, "left"))) for block in blocks)
    plan.exchange("candidates").answer_all(part, groups, len(plan.shards))
    return {"keys": len(np.unique(key[missed > 0])), "skipped": int(missed.sum())}


def _pairs(
    row: np.ndarray, close: Iterator[tuple[np.ndarray, np.ndarray]], config: ClusterConfig | None = None
) -> np.ndarray | None:
    """The distinct pairs, see `pack`, or None if they are too many for the criteria."""
    pairs = MergedPairs()
    for left, right in close:
        pairs.add(pack(row[left], row[right]))
        if config and len(pairs.merged) > config.most_candidates:
            return None
    merged = pairs.merge()
    return None if config and len(merged) > config.most_candidates else merged


def _close(
    ends: np.ndarray, compared: np.ndarray, crowd: np.ndarray, maps: Bitmaps, config: ClusterConfig
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of dialogues with the same key that may be similar.

    Args:
        ends: For each of n dialogues, sorted by key, the place after the last one with its key; shape (n,).
        compared: Set to the number of the following dialogues that each is compared with, shape (n,).
        crowd: Whether a dialogue gets only the first `neighbours` ones, shape (n,).
        maps: Bitmaps of the dialogues.
        config: Criteria for duplicates.

    Yields:
        Places of the dialogues of each pair, the smaller ones and the larger ones.
    """
    sizes, hidden, words = maps
    active, partners = np.arange(len(ends)), np.zeros(len(ends), np.int32)
    for step in range(1, config.most_alike):
        active = active[active + step < ends[active]]
        if not len(active):
            return
        for start in range(0, len(active), _PAIRS_AT_ONCE):
            a = active[start : start + _PAIRS_AT_ONCE]
            b = a + step
            keep = possible((sizes[a], hidden[a], words[a]), (sizes[b], hidden[b], words[b]), config.jaccard)
            partners[a[keep]] += 1
            yield a[keep], b[keep]
        compared[active] = step
        active = active[~crowd[active] | (partners[active] < config.neighbours)]


def _shared_bands(plan: Plan, part: int) -> pa.Table:
    """The signatures of a part that several dialogues have, with the bitmaps of these dialogues; most have one.

    Sorted by key, then by hash of the texts.
    """
    table, _ = plan.exchange("bands").receive(part, len(plan.shards))
    keys = array(table, "key")
    ordered = np.sort(keys)
    places = np.flatnonzero(np.isin(keys, ordered[1:][ordered[1:] == ordered[:-1]]))
    del ordered
    order = np.lexsort((array(table, "content")[places], keys[places]))
    return table.take(pa.array(places[order])).combine_chunks()
