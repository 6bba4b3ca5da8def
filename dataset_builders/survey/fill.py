"""Seeded splits of rows without official ones: each source has `SHARES` of its rows in train, validation and test.

What must stay together is an item, with a key and a number of rows. The items of a source are put in the order of a
hash of seed and key, the big ones (`components.BIG`) before all others, and fill train, then validation, then test. So
a few items are all in train, and a few more rows move only items at the bounds. Items are sorted in ranges of their
hashes, and only the bounds between the splits are known to all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dataset_builders.arrow.exchange import Exchange, array, load, records, save
from dataset_builders.common.choices import SHARES
from dataset_builders.survey.plan import Plan

TRAIN_SHARE = SHARES["train"] / sum(SHARES.values())


def positions_of(keys: Iterable[bytes], seed: int) -> np.ndarray:
    """Places of n keys in the seeded order, 0 to 2^64 - 1; uint64 of shape (n,)."""
    prefix = hashlib.blake2b(f"{seed}/".encode(), digest_size=8)

    def digest(key: bytes) -> bytes:
        state = prefix.copy()
        state.update(key)
        return state.digest()

    return np.frombuffer(b"".join(map(digest, keys)), ">u8").astype(np.uint64)


@dataclass(frozen=True)
class Bounds:
    """Where the splits of a source begin.

    Attributes:
        big: Positions of its big items, and the split of each.
        ends: Position of the first item, by its place in the order, that is not in train, and of the first one that is
            in neither train nor validation; None if there is no such item.
    """

    big: dict[int, int]
    ends: list[int | None]

    def splits(self, positions: np.ndarray) -> np.ndarray:
        """Index in `SPLITS` of n items, int8 of shape (n,), by their places in the seeded order, uint64."""
        splits = np.zeros(len(positions), np.int8)
        for end in self.ends:
            if end is not None:
                splits += positions >= np.uint64(end)
        for position, split in self.big.items():
            splits[positions == np.uint64(position)] = split
        return splits


def send_items(plan: Plan, name: str, sender: int, positions: np.ndarray, sizes: np.ndarray) -> None:
    """Send items of one source to the ranges of their positions.

    Args:
        plan: The plan.
        name: Name of the exchange, one for each source.
        sender: Number of the sender.
        positions: Places of n items that are not big, uint64 of shape (n,).
        sizes: Number of rows of each, shape (n,).
    """
    table = records(position=positions, size=sizes.astype(np.int32))
    plan.exchange(name).send(sender, table, plan.range_of(positions), plan.ranges)


def sort_items(plan: Plan, name: str, senders: Sequence[int], part: int) -> list[int]:
    """Task of a range: put its items in order.

    Returns:
        Rows of all its items together, and of the last one.
    """
    tables = [Exchange(plan.storage, name).read(part, sender) for sender in senders]
    position = np.concatenate([np.zeros(0, np.uint64), *(array(table, "position") for table in tables)])
    size = np.concatenate([np.zeros(0, np.int32), *(array(table, "size") for table in tables)])
    order = np.argsort(position, kind="stable")
    save(plan.storage, _sorted(name, part), records(position=position[order], size=size[order]))
    return [int(size.sum()), int(size[order[-1]]) if len(order) else 0]


def find_bounds(plan: Plan, name: str, big: Sequence[tuple[int, int]], ranges: Sequence[Sequence[int]]) -> Bounds:
    """Find where the splits of a source begin.

    Args:
        plan: The plan.
        name: Name of the exchange of its items.
        big: Rows and position of each big item.
        ranges: Results of `sort_items` for all ranges.
    """
    big = sorted(big, key=lambda item: (-item[0], item[1]))
    total = sum(size for size, _ in big) + sum(size for size, _ in ranges)
    line = _Line(plan, name, big, ranges)
    splits, ends = dict.fromkeys((position for _, position in big), len(SHARES) - 1), list[int | None]()
    tenths, start, stop = sum(SHARES.values()), 0, _Place(0, 0, 0)
    for number, share in enumerate(SHARES.values()):
        done = stop.before
        # whole numbers, so that a bound is the same on every machine: (twice_middle - 2 done) / 2 < share of the rest
        bound = 2 * share * (total - done) + 2 * done * tenths
        place_of_bound = line.first_from(-(-bound // tenths))
        stop = max(stop, place_of_bound, key=lambda place: place.before)
        for _, place in big[start : stop.big]:
            splits[place] = number
        ends.append(stop.position)
        start, tenths = stop.big, tenths - share
    return Bounds(splits, ends[:-1])


@dataclass(frozen=True)
class _Place:
    """A place in the order of the items of a source.

    Attributes:
        big: Number of big items before it.
        position: The least position of a small item that is not before it; None if all are.
        before: Number of rows before it.
    """

    big: int
    position: int | None
    before: int


@dataclass(frozen=True)
class _Line:
    """All items of a source in their order: the big ones, then those of the ranges."""

    plan: Plan
    name: str
    big: Sequence[tuple[int, int]]
    ranges: Sequence[Sequence[int]]

    def first_from(self, bound: int) -> _Place:
        """The place of the first item with a bound or more of twice the rows before it and its own."""
        before = 0
        for number, (size, _) in enumerate(self.big):
            if 2 * before + size >= bound:
                return _Place(number, 0, before)
            before += size
        for part, (rows, last) in enumerate(self.ranges):
            if rows and 2 * (before + rows) - last >= bound:
                table = load(self.plan.storage, _sorted(self.name, part))
                sizes = array(table, "size").astype(np.int64)
                ends = np.cumsum(sizes)
                place = int(np.searchsorted(2 * (before + ends) - sizes, bound, "left"))
                rows_before = before + int(ends[place] - sizes[place])
                return _Place(len(self.big), int(array(table, "position")[place]), rows_before)
            before += rows
        return _Place(len(self.big), None, before)


def _sorted(name: str, part: int) -> str:
    return f"{name}/sorted-{part:05d}.arrow"
