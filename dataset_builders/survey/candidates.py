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

from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.survey.plan import ClusterConfig, Plan
from dataset_builders.survey.similar import bitmaps_of, in_blocks
from dataset_builders.text.near_duplicates import Bitmaps, possible
from dataset_builders.text.ragged import distinct, pack

_PAIRS_AT_ONCE = 1 << 15
"""Pairs compared at once."""


def find_shared(plan: Plan, part: int) -> None:
    """Task of a part: keep the parts of signatures that several dialogues have, and ask for bitmaps of these dialogues.

    Few dialogues have such a part, where most are no near-duplicates.
    """
    bands, _ = plan.exchange("bands").receive(part, len(plan.shards))
    key, row = array(bands, "key"), array(bands, "row")
    ordered = np.sort(key)
    several = np.isin(key, ordered[1:][ordered[1:] == ordered[:-1]])
    key, row = key[several], row[several]
    save(plan.storage, f"shared-bands/{part:05d}", records(key=key, row=row))
    asked = distinct(row)
    plan.exchange("small-bitmaps").send(part, records(row=asked), plan.shard_of(asked), len(plan.shards))


def find_candidates(plan: Plan, part: int) -> dict[str, int]:
    """Task of a part: send each pair of dialogues with a common band to the shard of the left one.

    Most pairs of dialogues with the same greeting or disclaimer are rejected by their small bitmaps.

    Returns:
        `keys`: number of keys that too many dialogues have; `skipped`: number of their pairs that are not compared.
    """
    key, row, place, maps = _with_bitmaps(plan, part)
    ends = np.searchsorted(key, key, "right")
    compared = np.zeros(len(key), np.int64)
    pairs = _pairs(row, _close(ends, compared, np.zeros(len(key), bool), place, maps, plan.config), plan.config)
    if pairs is None:
        crowd = ends - np.searchsorted(key, key, "left") > plan.config.crowd
        compared[:] = 0
        pairs = _pairs(row, _close(ends, compared, crowd, place, maps, plan.config))
    del maps
    missed = ends - 1 - np.arange(len(key)) - compared
    blocks = (records(left=left, right=right) for left, right in in_blocks(distinct(pairs)))
    groups = ((block, plan.shard_of(array(block, "left"))) for block in blocks)
    plan.exchange("candidates").answer_all(part, groups, len(plan.shards))
    return {"keys": len(np.unique(key[missed > 0])), "skipped": int(missed.sum())}


def _pairs(
    row: np.ndarray, close: Iterator[tuple[np.ndarray, np.ndarray]], config: ClusterConfig | None = None
) -> np.ndarray | None:
    """The pairs, see `pack`, or None if they are too many for the criteria."""
    pairs, count = [np.zeros(0, np.int64)], 0
    for left, right in close:
        pairs.append(pack(row[left], row[right]))
        count += len(left)
        if config and count > config.most_candidates:
            return None
    return np.concatenate(pairs)


def _close(
    ends: np.ndarray,
    compared: np.ndarray,
    crowd: np.ndarray,
    place: np.ndarray,
    maps: Bitmaps,
    config: ClusterConfig,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of dialogues with the same key that may be similar.

    Args:
        ends: For each of n dialogues, sorted by key, the place after the last one with its key; shape (n,).
        compared: Set to the number of the following dialogues that each is compared with, shape (n,).
        crowd: Whether a dialogue gets only the first `neighbours` ones, shape (n,).
        place: Place of each dialogue's bitmap in `maps`, shape (n,).
        maps: Bitmaps of the distinct dialogues.
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
            one, other = place[a], place[b]
            keep = possible(
                (sizes[one], hidden[one], words[one]), (sizes[other], hidden[other], words[other]), config.jaccard
            )
            partners[a[keep]] += 1
            yield a[keep], b[keep]
        compared[active] = step
        active = active[~crowd[active] | (partners[active] < config.neighbours)]


def _with_bitmaps(plan: Plan, part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Bitmaps]:
    """The parts of signatures that several dialogues have, sorted by key, then by hash of the texts.

    Returns:
        Keys and rows, each of shape (n,); place of each row's bitmap, shape (n,); and the bitmaps of the distinct rows.
    """
    shared = load(plan.storage, f"shared-bands/{part:05d}")
    maps = plan.exchange("small-bitmaps").answers(part, len(plan.shards)).combine_chunks()
    key, row = array(shared, "key"), array(shared, "row")
    place = np.searchsorted(array(maps, "row"), row)
    order = np.lexsort((array(maps, "content")[place], key))
    return key[order], row[order], place[order], bitmaps_of(maps)
