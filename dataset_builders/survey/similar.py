"""Similar dialogues: signatures meet in parts, and each candidate is verified by its exact similarity.

    shard: sets of shingles -> keys of bands, bitmaps -> part: candidates -> shard of the left one: its bitmap
        -> shard of the right one: is the similarity possible? its set -> shard of the left one: exact similarity

Every dialogue goes only to the shards with a candidate for it, and is sent to each of them once.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.chunks import by_chunk, turn_texts
from dataset_builders.arrow.exchange import Exchange, array, load, records, save
from dataset_builders.arrow.mapped import release
from dataset_builders.survey.plan import Plan
from dataset_builders.text.near_duplicates import (
    Bitmaps,
    band_keys,
    bitmaps,
    equal_pairs,
    folded,
    possible,
    shingle_sets,
    similarities,
)
from dataset_builders.text.normalize import normalize
from dataset_builders.text.ragged import Ragged, distinct, pack, unpack

_TEXTS_AT_ONCE = 4096
"""Dialogues read at once: normalizing has a fixed cost."""
_BYTES_AT_ONCE = 1 << 21
"""Bytes of their texts: a meeting has as many as a hundred chats."""
_FEW_BITS = 1024
"""Bits of the small bitmaps."""
_PAIRS_AT_ONCE = 1 << 15
"""Pairs compared at once, without their texts."""
_VERIFIED_AT_ONCE = 1 << 14
"""Pairs whose sets are in memory at once."""
_CHUNKS_AT_ONCE = 32
_BANDS_AT_ONCE = 5
"""Bands whose keys are sent at once, with the bitmaps for each."""


def sketch(plan: Plan, number: int, rows: np.ndarray, contents: np.ndarray, bits: int) -> np.ndarray:
    """Send the keys of some dialogues of a shard to their parts, and keep their bitmaps.

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
    small = _table_of(folded(_bitmaps_of(table), _FEW_BITS))
    for name in own.column_names:
        small = small.append_column(name, own[name])
    several = [bands[start : start + _BANDS_AT_ONCE] for start in range(0, len(bands), _BANDS_AT_ONCE)]
    groups = (
        (
            pa.concat_tables([small.append_column("key", pa.array(key)) for key in some]),
            plan.band_part_of(some.ravel()),
        )
        for some in several
    )
    plan.exchange("bands").send_all(number, groups, plan.band_parts)
    return places


def find_candidates(plan: Plan, part: int) -> dict[str, int]:
    """Task of a part: send each pair of dialogues with a common band to the shard of the left one.

    Most pairs of dialogues with the same greeting or disclaimer are rejected by small bitmaps, which come with the
    keys.

    Returns:
        `keys`: number of keys that too many dialogues have; `skipped`: number of their pairs that are not compared.
    """
    most, threshold = plan.config.most_alike, plan.config.jaccard
    bands = _shared_bands(plan, part)
    bands = bands.take(pa.array(np.lexsort((array(bands, "content"), array(bands, "key"))))).combine_chunks()
    key, row, (sizes, hidden, maps) = array(bands, "key"), array(bands, "row"), _bitmaps_of(bands)
    candidates = [np.zeros(0, np.int64)]
    for left, right in equal_pairs(key, most):
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            a, b = left[start : start + _PAIRS_AT_ONCE], right[start : start + _PAIRS_AT_ONCE]
            keep = possible((sizes[a], hidden[a], maps[a]), (sizes[b], hidden[b], maps[b]), threshold)
            candidates.append(distinct(pack(row[a[keep]], row[b[keep]])))
    left, right = unpack(distinct(np.concatenate(candidates)))
    plan.exchange("candidates").answer(part, records(left=left, right=right), plan.shard_of(left), len(plan.shards))
    runs = np.diff(np.flatnonzero(np.append(True, np.append(key[1:] != key[:-1], True)))) if len(key) else key
    large = runs[runs > most].astype(np.int64)
    return {"keys": len(large), "skipped": int(((large - most) * (large - most + 1) // 2).sum())}


def _shared_bands(plan: Plan, part: int) -> pa.Table:
    """The signatures of a part that several dialogues have, with the bitmaps of these dialogues; most have one."""
    table, _ = plan.exchange("bands").receive(part, len(plan.shards))
    keys = array(table, "key")
    ordered = np.sort(keys)
    return table.filter(pa.array(np.isin(keys, ordered[1:][ordered[1:] == ordered[:-1]])))


def send_bitmaps(plan: Plan, number: int) -> None:
    """Task of the shard of the left ones: send the distinct candidates to the shards of the right ones."""
    pairs = plan.exchange("candidates").answers(number, plan.band_parts)
    left, right = unpack(distinct(pack(array(pairs, "left"), array(pairs, "right"))))
    table = load(plan.storage, f"sketches/{number:05d}")
    send_pairs(plan, "possible", number, left, right, plan.shard_of(right), lambda rows: _at(table, rows))


def send_sets(plan: Plan, number: int) -> None:
    """Task of the shard of the right ones: send the pairs that may be similar back, with the sets of the right ones."""
    shards, threshold = len(plan.shards), plan.config.jaccard
    pairs, _ = plan.exchange("possible").receive(number, shards)
    theirs = plan.exchange("possible-items").receive(number, shards)[0].combine_chunks()
    own = load(plan.storage, f"sketches/{number:05d}").combine_chunks()
    left, right = array(pairs, "left"), array(pairs, "right")
    keep = np.zeros(len(left), bool)
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        keep[part] = possible(_bitmaps(theirs, left[part]), _bitmaps(own, right[part]), threshold)
    left, right = left[keep], right[keep]
    first = plan.shards[number].first

    def sets(rows: np.ndarray) -> dict[str, pa.Array]:
        of_rows = _sets(plan, number, rows - first)
        offsets = pa.array(of_rows.offsets, pa.int64())
        return {"values": pa.LargeListArray.from_arrays(offsets, pa.array(of_rows.values))}

    send_pairs(plan, "verify", number, right, left, plan.shard_of(left), sets, item="right")


def verify(plan: Plan, number: int) -> None:
    """Task of the shard of the left ones: compute the exact similarity of the pairs, and keep those that reach it."""
    shards, config = len(plan.shards), plan.config
    pairs, _ = plan.exchange("verify").receive(number, shards)
    items = plan.exchange("verify-items").receive(number, shards)[0].combine_chunks()
    left, right = array(pairs, "left"), array(pairs, "right")
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    row, first, parts = array(items, "row"), plan.shards[number].first, [np.zeros(0, np.float32)]
    for start in range(0, len(left), _VERIFIED_AT_ONCE):
        lefts, rights = left[start : start + _VERIFIED_AT_ONCE], right[start : start + _VERIFIED_AT_ONCE]
        own_rows, other_rows = np.unique(lefts), np.unique(rights)
        lists = items["values"].combine_chunks().take(pa.array(np.searchsorted(row, other_rows)))
        sets = _sets(plan, number, own_rows - first).joined(_ragged(lists))
        a, b = np.searchsorted(own_rows, lefts), len(own_rows) + np.searchsorted(other_rows, rights)
        exact = similarities(sets, a, b)
        parts.append(np.where(exact >= config.jaccard, exact, -1).astype(np.float32))
    similarity = np.concatenate(parts)
    keep = similarity >= 0
    save_edges(plan, f"edges/similar-{number:05d}", number, left[keep], right[keep], similarity[keep], items)


def send_pairs(
    plan: Plan,
    name: str,
    number: int,
    own: np.ndarray,
    other: np.ndarray,
    receiver: np.ndarray,
    items: Callable[[np.ndarray], dict[str, pa.Array]],
    item: str = "left",
) -> None:
    """Send pairs of rows to the shards of the other ones, and each own row that they need once, with its content.

    Args:
        plan: The plan.
        name: Name of the exchange; the rows go to `NAME-items`, sorted by number.
        number: Number of the shard of the own rows.
        own: Own row of each pair.
        other: Other row of each pair.
        receiver: Shard of each other row.
        items: Returns the columns of some own rows.
        item: Whether the own row is the `left` or the `right` one of the pair.
    """
    shards, content = len(plan.shards), plan.shards[number]
    columns = {"left": own, "right": other} if item == "left" else {"left": other, "right": own}
    plan.exchange(name).send(number, records(**columns), receiver, shards)
    sent = distinct(receiver.astype(np.int64) << 40 | own)
    to, rows = sent >> 40, sent & ((1 << 40) - 1)
    unique = np.unique(rows)
    hashes = array(load(plan.storage, f"rows/{number:05d}"), "content")
    place = np.searchsorted(unique, rows)

    def groups() -> Iterator[tuple[pa.Table, np.ndarray]]:
        for block in [*blocks(plan, number, unique - content.first)] or [slice(0, 0)]:
            some, here = unique[block], (place >= block.start) & (place < block.stop)
            table = records(row=some, content=hashes[some - content.first], **items(some))
            yield table.take(pa.array(place[here] - block.start)), to[here]

    Exchange(plan.storage, f"{name}-items").send_all(number, groups(), shards)


def save_edges(
    plan: Plan,
    name: str,
    number: int,
    own: np.ndarray,
    other: np.ndarray,
    similarity: np.ndarray,
    items: pa.Table,
) -> None:
    """Keep the matches between rows of a shard and rows that others sent, by the hashes of their texts."""
    hashes = array(load(plan.storage, f"rows/{number:05d}"), "content")[own - plan.shards[number].first]
    others = array(items, "content")[np.searchsorted(array(items, "row"), other)]
    save(plan.storage, name, records(node=hashes, other=others, similarity=similarity))


def turns_of(plan: Plan, number: int, rows: np.ndarray) -> pa.ListArray:
    """The normalised turns of some dialogues of a shard, by their numbers in it, ascending."""
    maps: list[mmap.mmap] = []
    parts = [pa.array([], pa.list_(pa.string()))]
    for chunk, numbers, _ in by_chunk(plan.table(number, maps)["turns"], rows):
        parts.append(turn_texts(chunk).take(pa.array(numbers)))
        if len(parts) % _CHUNKS_AT_ONCE == 0:
            release(maps)
    turns = pa.concat_arrays(parts)
    release(maps)
    return pa.ListArray.from_arrays(turns.offsets, normalize(turns.values))


def blocks(plan: Plan, number: int, rows: np.ndarray) -> Iterator[slice]:
    """Cut some dialogues of a shard into those that are in memory at once, by the bytes of their texts.

    Args:
        plan: The plan.
        number: Number of the shard.
        rows: Numbers of the dialogues in the shard, ascending.

    Yields:
        Places in `rows`.
    """
    maps, sizes = list[mmap.mmap](), [np.zeros(0, np.int64)]
    for chunk in plan.table(number, maps)["turns"].chunks if len(rows) else ():
        texts = turn_texts(chunk)
        ends = np.cumsum(pc.binary_length(texts.values).to_numpy(), dtype=np.int64)
        sizes.append(np.diff(np.append(0, ends)[texts.offsets.to_numpy()]))
    release(maps)
    ends, start = np.cumsum(np.concatenate(sizes)[rows]), 0
    while start < len(rows):
        done = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, done + _BYTES_AT_ONCE, "right"))
        here = slice(start, min(start + _TEXTS_AT_ONCE, max(start + 1, fitting)))
        yield here
        start = here.stop


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


def _bitmaps_of(table: pa.Table) -> Bitmaps:
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
    sizes, hidden, words = _bitmaps_of(table)
    return sizes[place], hidden[place], words[place]
