"""Similar dialogues: signatures meet in parts, and each candidate is verified by its exact similarity.

    shard: sets of shingles -> keys of bands -> part: keys of several dialogues -> shard: small bitmaps of these
        -> part: candidates -> shard of the left one: its bitmap -> shard of the right one: is the similarity possible?
        its set -> shard of the left one: exact similarity

Every dialogue goes only to the shards with a candidate for it, and is sent to each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.exchange import Exchange, array, load, records, save, save_all
from dataset_builders.survey.normal_texts import blocks, turns_of
from dataset_builders.survey.plan import Plan
from dataset_builders.text.near_duplicates import (
    Bitmaps,
    band_keys,
    bitmaps,
    folded,
    possible,
    shingle_sets,
    similarities,
)
from dataset_builders.text.ragged import Ragged, distinct, pack, unpack

_FEW_BITS = 1024
"""Bits of the small bitmaps."""
_PAIRS_AT_ONCE = 1 << 15
"""Pairs compared at once, and bitmaps sent at once."""
_PAIRS_SENT = 1 << 20
"""Pairs that are sent or received at once."""
_ITEMS_AT_ONCE = 1 << 25
"""Bytes of the rows that are received at once, about."""
_VERIFIED_AT_ONCE = 1 << 12
"""Pairs whose sets are in memory at once."""


def sketch(plan: Plan, number: int, rows: np.ndarray, contents: np.ndarray, bits: int) -> np.ndarray:
    """Send the keys of some dialogues of a shard to their parts, and keep their bitmaps, which few of them need.

    Args:
        plan: The plan.
        number: Number of the shard.
        rows: Numbers of the dialogues in the shard, ascending.
        contents: Hash of the texts of each.
        bits: Number of bits of a bitmap.

    Returns:
        Indices in `rows` of the dialogues with enough content to be compared.
    """
    config, first = plan.config, plan.shards[number].first
    rich, keys, maps = [np.zeros(0, np.int64)], [np.zeros((config.bands, 0), np.uint64)], [_no_maps(bits)]
    for here in blocks(plan, number, rows):
        sets = _sets(plan, number, rows[here])
        large = sets.sizes >= config.min_shingles
        sets = sets.where(large)
        rich.append(here.start + np.flatnonzero(large))
        keys.append(band_keys(sets, config.permutations, config.bands, config.seed))
        maps.append(_table_of(bitmaps(sets, bits)))
    places, bands = np.concatenate(rich), np.concatenate(keys, axis=1)
    own = records(row=first + rows[places], content=contents[places])
    table = pa.concat_tables(maps).combine_chunks()
    for name in own.column_names:
        table = table.append_column(name, own[name])
    save(plan.storage, f"sketches/{number:05d}", table)
    keys_of_rows = records(key=bands.ravel(), row=np.tile(array(own, "row"), len(bands)))
    plan.exchange("bands").send(number, keys_of_rows, plan.band_part_of(bands.ravel()), plan.band_parts)
    return places


def send_small_bitmaps(plan: Plan, number: int) -> None:
    """Task of a shard: send small bitmaps of its dialogues to the parts that asked for them."""
    table = load(plan.storage, f"sketches/{number:05d}").combine_chunks()
    asked, sent = plan.exchange("small-bitmaps").receive(number, plan.band_parts)
    rows = array(asked, "row")
    needed, place = np.unique(rows, return_inverse=True)
    own = table.take(pa.array(np.searchsorted(array(table, "row"), needed))).combine_chunks()
    small = _table_of(folded(bitmaps_of(own), _FEW_BITS))
    for name in ("row", "content"):
        small = small.append_column(name, own[name])
    parts = np.repeat(np.arange(plan.band_parts), sent)
    starts = range(0, max(len(rows), 1), _PAIRS_AT_ONCE)
    several = ((place[start : start + _PAIRS_AT_ONCE], parts[start : start + _PAIRS_AT_ONCE]) for start in starts)
    groups = ((small.take(pa.array(some)), receivers) for some, receivers in several)
    plan.exchange("small-bitmaps").answer_all(number, groups, plan.band_parts)


def send_bitmaps(plan: Plan, number: int) -> None:
    """Task of the shard of the left ones: send the distinct candidates to the shards of the right ones."""
    table = load(plan.storage, f"sketches/{number:05d}").combine_chunks()
    pairs = distinct_answers(plan, "candidates", number, plan.band_parts)
    send_pairs(plan, "possible", number, in_blocks(pairs), lambda rows: _at(table, rows))


def send_sets(plan: Plan, number: int) -> None:
    """Task of the shard of the right ones: send the pairs that may be similar back, with the sets of the right ones."""
    threshold, first = plan.config.jaccard, plan.shards[number].first
    own = load(plan.storage, f"sketches/{number:05d}").combine_chunks()

    def kept() -> Iterator[Pairs]:
        pending, count = [(np.zeros(0, np.int64), np.zeros(0, np.int64))], 0
        for left, right, theirs in received(plan, "possible", number):
            for start in range(0, len(left), _PAIRS_AT_ONCE):
                a, b = left[start : start + _PAIRS_AT_ONCE], right[start : start + _PAIRS_AT_ONCE]
                keep = possible(_bitmaps(theirs, a), _bitmaps(own, b), threshold)
                pending.append((a[keep], b[keep]))
                count += len(pending[-1][0])
            if count >= _PAIRS_SENT:
                yield joined(pending)
                pending, count = [], 0
        if pending:
            yield joined(pending)

    def sets(rows: np.ndarray) -> dict[str, pa.Array]:
        of_rows = _sets(plan, number, rows - first)
        offsets = pa.array(of_rows.offsets, pa.int64())
        return {"values": pa.LargeListArray.from_arrays(offsets, pa.array(of_rows.values))}

    send_pairs(plan, "verify", number, kept(), sets, item="right")


def verify(plan: Plan, number: int) -> int:
    """Task of the shard of the left ones: compute the exact similarity of the pairs, and keep those that reach it.

    Returns:
        Number of pairs that are kept.
    """
    first, threshold = plan.shards[number].first, plan.config.jaccard

    def kept() -> Iterator[Edges]:
        for left, right, items in received(plan, "verify", number):
            order, row, values = np.lexsort((right, left)), array(items, "row"), items["values"].combine_chunks()
            for start in range(0, len(left), _VERIFIED_AT_ONCE):
                some = order[start : start + _VERIFIED_AT_ONCE]
                lefts, rights = left[some], right[some]
                own_rows, other_rows = np.unique(lefts), np.unique(rights)
                lists = values.take(pa.array(np.searchsorted(row, other_rows)))
                sets = _sets(plan, number, own_rows - first).joined(_ragged(lists))
                a, b = np.searchsorted(own_rows, lefts), len(own_rows) + np.searchsorted(other_rows, rights)
                exact = similarities(sets, a, b)
                keep = exact >= threshold
                yield lefts[keep], rights[keep], exact[keep].astype(np.float32), items

    return save_edges(plan, f"edges/jaccard-{number:05d}", number, kept())


def distinct_answers(plan: Plan, name: str, number: int, parts: int) -> np.ndarray:
    """The distinct pairs that parts have found for a shard, see `pack`; a similar pair has many common keys."""
    pairs = MergedPairs()
    for part in range(parts):
        for batch in plan.exchange(name).answer_groups(number, part):
            pairs.add(pack(batch["left"].to_numpy(), batch["right"].to_numpy()))
    return pairs.merge()


class MergedPairs:
    """Distinct pairs that come some at once, often several times.

    Attributes:
        merged: The distinct pairs so far, ascending, without the latest ones; see `pack`.
    """

    def __init__(self) -> None:
        self.merged = np.zeros(0, np.int64)
        self._latest: list[np.ndarray] = []
        self._count = 0

    def add(self, pairs: np.ndarray) -> None:
        """Add pairs, int64 of shape (n,)."""
        self._latest.append(pairs)
        self._count += len(pairs)
        if self._count > max(4 * _PAIRS_SENT, len(self.merged) // 2):
            self.merge()

    def merge(self) -> np.ndarray:
        """All distinct pairs, ascending."""
        pairs = np.concatenate([self.merged, *self._latest])
        self.merged, self._latest, self._count = np.zeros(0, np.int64), [], 0
        pairs.sort()  # in place: these are the largest arrays of a task
        self.merged = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
        return self.merged


Pairs = tuple[np.ndarray, np.ndarray]
"""Numbers of the left and of the right rows of some pairs, int64."""

Edges = tuple[np.ndarray, np.ndarray, np.ndarray, pa.Table]
"""Own and other rows of some pairs, how similar they are, and the table with the other rows."""


def in_blocks(pairs: np.ndarray) -> Iterator[Pairs]:
    """Pairs of `pack`, some at once; at least once."""
    for start in range(0, max(len(pairs), 1), _PAIRS_SENT):
        yield unpack(pairs[start : start + _PAIRS_SENT])


def joined(blocks: Sequence[Pairs]) -> Pairs:
    """Several blocks of pairs as one."""
    left, right = zip(*blocks, strict=True)
    return np.concatenate(left), np.concatenate(right)


def send_pairs(
    plan: Plan,
    name: str,
    number: int,
    pairs: Iterable[Pairs],
    items: Callable[[np.ndarray], dict[str, pa.Array]],
    item: str = "left",
) -> None:
    """Send pairs of rows to the shards of the other ones, and each own row that they need once, with its content.

    Args:
        plan: The plan.
        name: Name of the exchange; the rows go to `NAME-items`, sorted by number.
        number: Number of the shard of the own rows.
        pairs: Left and right rows, in at least one block; one is in memory at once.
        items: Returns the columns of some own rows.
        item: Whether the own row is the `left` or the `right` one of the pair.
    """
    shards, content = len(plan.shards), plan.shards[number]
    needed = [np.zeros(0, np.int64)]

    def sent() -> Iterator[tuple[pa.Table, np.ndarray]]:
        for left, right in pairs:
            own, other = (left, right) if item == "left" else (right, left)
            receiver = plan.shard_of(other)
            needed.append(distinct(receiver.astype(np.int64) << 40 | own))
            yield records(left=left, right=right), receiver

    plan.exchange(name).send_all(number, sent(), shards)
    asked = distinct(np.concatenate(needed))
    to, rows = asked >> 40, asked & ((1 << 40) - 1)
    unique = np.unique(rows)
    hashes = array(load(plan.storage, f"rows/{number:05d}"), "content")
    place = np.searchsorted(unique, rows)

    def groups() -> Iterator[tuple[pa.Table, np.ndarray]]:
        for block in [*blocks(plan, number, unique - content.first)] or [slice(0, 0)]:
            some, here = unique[block], (place >= block.start) & (place < block.stop)
            table = records(row=some, content=hashes[some - content.first], **items(some))
            yield table.take(pa.array(place[here] - block.start)), to[here]

    Exchange(plan.storage, f"{name}-items").send_all(number, groups(), shards)


def received(plan: Plan, name: str, number: int) -> Iterator[tuple[np.ndarray, np.ndarray, pa.Table]]:
    """The pairs that other shards sent with `send_pairs`, with the rows that these need.

    Yields:
        Left and right rows of some pairs, and the table of all rows on the other side, sorted by number.
    """
    pairs, items = plan.exchange(name), Exchange(plan.storage, f"{name}-items")
    pending, tables, count = list[pa.RecordBatch](), list[pa.Table](), 0

    def some(left_over: int) -> tuple[np.ndarray, np.ndarray, pa.Table]:
        nonlocal pending, tables, count
        table, whole = pa.Table.from_batches(pending), pa.concat_tables(tables).combine_chunks()
        pending, tables, count = [], tables[-1:] * left_over, 0
        return array(table, "left"), array(table, "right"), whole

    for sender in range(len(plan.shards)):
        tables.append(items.read(number, sender))
        for batch in pairs.read_groups(number, sender):
            pending.append(batch)
            count += len(batch)
            if count >= _PAIRS_SENT:
                yield some(1)
        if pending and sum(table.nbytes for table in tables) >= _ITEMS_AT_ONCE:
            yield some(0)
    if pending:
        yield some(0)


def save_edges(plan: Plan, name: str, number: int, edges: Iterable[Edges]) -> int:
    """Keep the matches between rows of a shard and rows that others sent, by the hashes of their texts.

    Returns:
        Number of matches.
    """
    hashes, first = array(load(plan.storage, f"rows/{number:05d}"), "content"), plan.shards[number].first
    count = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal count
        none = np.zeros(0, np.uint64)
        yield records(node=none, other=none, similarity=none.astype(np.float32))
        for own, other, similarity, items in edges:
            if len(own):
                others = array(items, "content")[np.searchsorted(array(items, "row"), other)]
                count += len(own)
                yield records(node=hashes[own - first], other=others, similarity=similarity)

    save_all(plan.storage, name, tables())
    return count


def _sets(plan: Plan, number: int, rows: np.ndarray) -> Ragged:
    """The sets of shingles of some dialogues of a shard, by their numbers in it, ascending."""
    parts = [Ragged.of(np.zeros(0, np.uint32), np.zeros(0, np.int64))]
    for here in blocks(plan, number, rows):
        texts = pc.binary_join(turns_of(plan, number, rows[here]), " ")
        parts.append(shingle_sets(texts, plan.config.shingle))
    values, sizes = [part.values for part in parts], [part.sizes for part in parts]
    return parts[-1] if len(parts) < 3 else Ragged.of(np.concatenate(values), np.concatenate(sizes))


def _ragged(lists: pa.LargeListArray) -> Ragged:
    offsets = lists.offsets.to_numpy()
    return Ragged(lists.flatten().to_numpy(), offsets - offsets[0])


def _table_of(maps: Bitmaps) -> pa.Table:
    sizes, hidden, words = maps
    width = words.shape[1] * 8
    bits = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(words), [None, pa.py_buffer(words.tobytes())])
    return records(size=sizes, hidden=hidden, bits=bits)


def _no_maps(bits: int) -> pa.Table:
    none = np.zeros(0, np.int64)
    return _table_of((none, none, np.zeros((0, bits // 64), np.uint64)))


def bitmaps_of(table: pa.Table) -> Bitmaps:
    """The bitmaps in a table of one chunk."""
    chunk = table["bits"].combine_chunks()
    words = np.frombuffer(chunk.buffers()[1] or b"", np.uint64).reshape(-1, chunk.type.byte_width // 8)
    return array(table, "size"), array(table, "hidden"), words[chunk.offset : chunk.offset + len(chunk)]


def _at(table: pa.Table, rows: np.ndarray) -> dict[str, pa.Array]:
    part_table = (
        table.take(pa.array(np.searchsorted(array(table, "row"), rows)))
        .select(["size", "hidden", "bits"])
        .combine_chunks()
    )
    return {name: part_table[name].combine_chunks() for name in part_table.column_names}


def _bitmaps(table: pa.Table, rows: np.ndarray) -> Bitmaps:
    """The bitmaps of some rows of a table that is sorted by row."""
    place = np.searchsorted(array(table, "row"), rows)
    sizes, hidden, words = bitmaps_of(table)
    return sizes[place], hidden[place], words[place]
