"""Candidates: pairs of dialogues with a common part of their signatures whose small bitmaps do not exclude them.

The dialogues with the same part of a signature are compared in the order of the hashes of their texts: each with the
next one, with the one after that, and so on. So the result does not depend on the order of the dialogues.

Where very many dialogues are near-duplicates of each other, nearly all pairs remain, which grow with the square of the
dialogues. A task with too many of them begins again, and leaves out most pairs of its crowds: there, a dialogue stays
with the first few that may be similar to it. These are enough to connect the crowd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.survey.plan import ClusterConfig, Plan
from dataset_builders.survey.similar import MergedPairs, bitmaps_of, in_blocks
from dataset_builders.text.near_duplicates import possible
from dataset_builders.text.ragged import distinct, pack

_PAIRS_AT_ONCE = 1 << 15
"""Pairs compared at once."""
_SAMPLED = 16
"""Steps after which it is clear which keys have too many pairs."""


def find_shared(plan: Plan, part: int) -> None:
    """Task of a part: keep the parts of signatures that several dialogues have, and ask for bitmaps of these dialogues.

    Few dialogues have such a part, where most are no near-duplicates.
    """
    bands, _ = plan.exchange("bands").receive(part, len(plan.shards))
    key, row = array(bands, "key"), array(bands, "row")
    order = np.argsort(key)
    same = key[order[1:]] == key[order[:-1]]
    several = np.zeros(len(key), bool)
    several[order[1:][same]] = several[order[:-1][same]] = True
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
    search = _Search(plan, part)
    pairs = search.pairs()
    if pairs is None:
        pairs = search.pairs_without_crowds()
    blocks = (records(left=left, right=right) for left, right in in_blocks(pairs))
    groups = ((block, plan.shard_of(array(block, "left"))) for block in blocks)
    plan.exchange("candidates").answer_all(part, groups, len(plan.shards))
    missed = search.followers - search.compared
    return {"keys": len(np.unique(search.key[missed > 0])), "skipped": int(missed.sum())}


class _Search:
    """Search for the pairs of a part, among the parts of signatures that several dialogues have.

    They are sorted by key, then by hash of the texts.

    Args:
        plan: The plan.
        part: Number of the part.

    Attributes:
        key: Key of each of n signatures, uint64 of shape (n,).
        followers: Number of the following signatures with the same key, int64 of shape (n,).
        compared: Number of those that the latest search has compared with it, int64 of shape (n,).
    """

    def __init__(self, plan: Plan, part: int) -> None:
        shared = load(plan.storage, f"shared-bands/{part:05d}")
        maps = plan.exchange("small-bitmaps").answers(part, len(plan.shards)).combine_chunks()  # sorted by row
        place = np.searchsorted(array(maps, "row"), array(shared, "row"))
        order = np.lexsort((array(maps, "content")[place], array(shared, "key")))
        self.key, self._row = array(shared, "key")[order], array(shared, "row")[order]
        self._maps, self._place = bitmaps_of(maps), place[order]
        self._config: ClusterConfig = plan.config
        self._starts = np.searchsorted(self.key, self.key, "left")
        self._ends = np.searchsorted(self.key, self.key, "right")
        self.followers = self._ends - 1 - np.arange(len(self.key))
        self.compared = np.zeros(len(self.key), np.int64)

    def pairs(self) -> np.ndarray | None:
        """The distinct pairs that may be similar, see `pack`; None if they are too many."""
        pairs, most = MergedPairs(), self._config.most_candidates
        partners, is_sampled = np.zeros(len(self.key), np.int32), False
        for step, left, right in self._steps(lambda active: active):
            if step <= _SAMPLED:
                partners[left] += 1
            elif not is_sampled:
                is_sampled = True
                if self._expected(partners) > 2 * most:
                    return None
            pairs.add(pack(self._row[left], self._row[right]))
            if len(pairs.merged) > most:
                return None
        merged = pairs.merge()
        return merged if len(merged) <= most else None

    def pairs_without_crowds(self) -> np.ndarray:
        """The same, but a dialogue of a crowd stays with the first ones only."""
        pairs, partners = MergedPairs(), np.zeros(len(self.key), np.int32)
        crowd = self._ends - self._starts > self._config.crowd
        enough = self._config.neighbours
        for _, left, right in self._steps(lambda active: active[~crowd[active] | (partners[active] < enough)]):
            partners[left] += 1
            pairs.add(pack(self._row[left], self._row[right]))
        return pairs.merge()

    def _expected(self, partners: np.ndarray) -> float:
        """About how many pairs the key with most of them will have; the steps so far are a sample.

        Args:
            partners: Number of pairs of each signature so far, shape (n,).
        """
        first = np.flatnonzero(self._starts == np.arange(len(self.key)))
        to_come = np.minimum(self.followers, self._config.most_alike - 1)
        close, seen, whole = (
            np.add.reduceat(counts.astype(float), first) for counts in (partners, self.compared, to_come)
        )
        return float((close / np.maximum(seen, 1) * whole).max())

    def _steps(self, go_on: Callable[[np.ndarray], np.ndarray]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Compare each signature with the next one with its key, then with the one after that, and so on.

        Args:
            go_on: Returns those of some signatures that are compared further.

        Yields:
            The step; places of the signatures of some pairs that may be similar, the smaller ones and the larger ones.
        """
        sizes, hidden, words = self._maps
        self.compared[:] = 0
        active = np.arange(len(self.key))
        for step in range(1, self._config.most_alike):
            active = go_on(active[active + step < self._ends[active]])
            if not len(active):
                return
            for start in range(0, len(active), _PAIRS_AT_ONCE):
                a = active[start : start + _PAIRS_AT_ONCE]
                b = a + step
                one, other = self._place[a], self._place[b]
                left, right = ((sizes[some], hidden[some], words[some]) for some in (one, other))
                keep = possible(left, right, self._config.jaccard)
                yield step, a[keep], b[keep]
            self.compared[active] = step
