"""Hashes of ids, utterances, pairs and whole dialogues, and which of them occur several times."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128_digest

from dataset_builders.arrow.chunks import turn_texts
from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.arrow.mapped import release
from dataset_builders.survey.leaks import overlaps
from dataset_builders.survey.normal_texts import save_normal
from dataset_builders.survey.parsed import in_turns
from dataset_builders.survey.plan import Plan
from dataset_builders.text.normalize import group_hashes, normal_hashes, normalize

_ROWS_AT_ONCE = 1024


def hash_rows(plan: Plan, number: int) -> dict[str, int]:
    """Task of a shard: hash its ids, utterances, pairs and dialogues, and send the hashes to their parts."""
    shard, maps = plan.shards[number], list[mmap.mmap]()
    table = plan.table(number, maps)
    lengths, hashes, sizes, characters = _hash_utterances(plan, number, table, maps)
    contents = hash_contents(hashes, lengths) if plan.has_dialogues else hashes
    save(plan.storage, f"rows/{number:05d}", records(length=lengths, content=contents, bytes=sizes))
    save(plan.storage, f"utterances/{number:05d}", records(hash=hashes))
    rows = shard.first + np.arange(len(table))
    keys = _id_keys(table.column(0), maps)
    plan.exchange("ids").send(
        number,
        records(high=keys[:, 0], low=keys[:, 1], row=rows, content=contents),
        plan.part_of(keys[:, 1]),
        plan.parts,
    )
    distinct, first = np.unique(contents, return_index=True)
    plan.exchange("contents").send(
        number, records(content=distinct, row=rows[first]), plan.part_of(distinct), plan.parts
    )
    anchors = anchor_numbers(lengths)
    for name, keys in (("pairs", pair_hashes(hashes)[anchors]), ("texts", hashes)):
        distinct, counts = np.unique(keys, return_counts=True)
        plan.exchange(name).send(number, records(hash=distinct, count=counts), plan.part_of(distinct), plan.parts)
    parallel = _parallel_rows(table["parallel_id"])
    save(plan.storage, f"parallel/{number:05d}", parallel.set_column(0, "row", pa.array(rows[array(parallel, "row")])))
    return {"characters": characters, "parallel": len(parallel)}


def find_twins(plan: Plan, part: int) -> dict[str, Any]:
    """Task of a part: find which ids, dialogues, pairs and texts occur several times, and tell the shards.

    Returns:
        `conflict`: row that has the id of an earlier one with other texts, None without one; `texts`: see `overlaps`.
    """
    conflict = _repeat_ids(plan, part)
    _find_first_contents(plan, part)
    _find_shared_pairs(plan, part)
    texts, sent = plan.exchange("texts").receive(part, len(plan.shards))
    table = overlaps(array(texts, "hash"), plan.senders(sent), array(texts, "count"), len(plan.names))
    return {"conflict": conflict, "texts": table.tolist()}


def _repeat_ids(plan: Plan, part: int) -> int | None:
    """Tell the shards which rows have the id of an earlier one; returns the first one with other texts, if any."""
    shards = len(plan.shards)
    ids, _ = plan.exchange("ids").receive(part, shards)
    high, low, row, content = (array(ids, name) for name in ("high", "low", "row", "content"))
    order = np.lexsort((row, high, low))
    same = (high[order[1:]] == high[order[:-1]]) & (low[order[1:]] == low[order[:-1]])
    first = np.maximum.accumulate(np.where(np.append(False, same)[: len(order)], 0, np.arange(len(order))))
    later = np.flatnonzero(np.append(False, same)[: len(order)])
    differs = content[order[later]] != content[order[first[later]]]
    conflict = int(row[order[later[differs]]].min()) if differs.any() else None
    repeated = row[order[later]]
    plan.exchange("ids").answer(part, records(row=repeated), plan.shard_of(repeated), shards)
    return conflict


def _find_first_contents(plan: Plan, part: int) -> None:
    """Tell the shards which rows are the first ones with their texts."""
    shards = len(plan.shards)
    contents, _ = plan.exchange("contents").receive(part, shards)
    content, row = array(contents, "content"), array(contents, "row")
    order = np.lexsort((row, content))
    firsts = row[order[np.append(True, content[order[1:]] != content[order[:-1]])[: len(order)]]]
    plan.exchange("contents").answer(part, records(row=firsts), plan.shard_of(firsts), shards)


def _find_shared_pairs(plan: Plan, part: int) -> None:
    """Tell the shards which of their pairs occur several times."""
    shards = len(plan.shards)
    pairs, sent = plan.exchange("pairs").receive(part, shards)
    hashes, sender = array(pairs, "hash"), np.repeat(np.arange(shards), sent)
    distinct, inverse = np.unique(hashes, return_inverse=True)
    several = (np.bincount(inverse, array(pairs, "count"), len(distinct)) > 1)[inverse]
    plan.exchange("pairs").answer(part, records(hash=hashes[several]), sender[several], shards)


def repeated_rows(plan: Plan, number: int) -> np.ndarray:
    """Whether an earlier row of the source is the same record, bool of shape (rows,), after `find_twins`."""
    shard = plan.shards[number]
    repeated = np.zeros(shard.part.rows, bool)
    repeated[array(plan.exchange("ids").answers(number, plan.parts), "row") - shard.first] = True
    return repeated


def first_contents(plan: Plan, number: int) -> np.ndarray:
    """Whether each row of a shard is the first one with its texts, bool of shape (rows,), after `find_twins`."""
    shard = plan.shards[number]
    first = np.zeros(shard.part.rows, bool)
    first[array(plan.exchange("contents").answers(number, plan.parts), "row") - shard.first] = True
    return first


def shared_pairs(plan: Plan, number: int) -> np.ndarray:
    """The hashes of the pairs of a shard that occur several times, sorted, after `find_twins`."""
    return np.sort(array(plan.exchange("pairs").answers(number, plan.parts), "hash"))


def load_hashes(plan: Plan, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each row's utterances in a shard, int64 of shape (n + 1,), and their hashes, uint64 of shape (m,)."""
    lengths = array(load(plan.storage, f"rows/{number:05d}"), "length")
    return np.concatenate([[0], np.cumsum(lengths)]), array(load(plan.storage, f"utterances/{number:05d}"), "hash")


def _hash_utterances(
    plan: Plan, number: int, table: pa.Table, maps: list[mmap.mmap]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Hash all utterances of a shard, and keep their normal forms if they are turns of dialogues.

    Returns:
        Number of utterances of each row, int64 of shape (n,); their hashes, uint64 of shape (m,); the bytes of the
        normal forms of each row, int64 of shape (n,); and those of all texts.
    """
    if plan.has_dialogues:
        counts = [np.asarray(pc.list_value_length(chunk), np.int64) for chunk in table["turns"].chunks]
        lengths = np.concatenate([np.zeros(0, np.int64), *counts])
        chunks = (turn_texts(chunk).values for chunk in table["turns"].chunks)
    else:
        lengths, chunks = np.ones(len(table), np.int64), iter(table["utterance"].chunks)
    hashes, sizes, characters = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], 0

    def normal_forms() -> Iterator[pa.Array]:
        nonlocal characters
        for texts in in_turns(chunks):
            normal = normalize(texts)
            hashes.append(normal_hashes(normal))
            sizes.append(pc.binary_length(normal).to_numpy().astype(np.int64))
            characters += pc.sum(pc.binary_length(texts)).as_py() or 0
            yield normal
            release(maps)

    if plan.has_dialogues:
        save_normal(plan, number, normal_forms())
    else:
        deque(normal_forms(), maxlen=0)
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes]))
    return lengths, np.concatenate(hashes), np.diff(ends[np.append(0, np.cumsum(lengths))]), characters


def hash_contents(hashes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Hash of each row's texts (`normalize.group_hashes`), uint64 of shape (n,)."""
    starts, parts = np.concatenate([[0], np.cumsum(lengths)]), [np.zeros(0, np.uint64)]
    for start in range(0, len(lengths), _ROWS_AT_ONCE):
        bounds = starts[start : start + _ROWS_AT_ONCE + 1]
        parts.append(group_hashes(hashes[bounds[0] : bounds[-1]], np.diff(bounds)))
    return np.concatenate(parts)


def anchor_numbers(lengths: np.ndarray) -> np.ndarray:
    """Numbers of the utterances that another one of their row follows, for rows of these lengths."""
    is_last = np.zeros(int(lengths.sum()), bool)
    is_last[np.cumsum(lengths)[lengths > 0] - 1] = True
    return np.flatnonzero(~is_last)


def pair_hashes(hashes: np.ndarray) -> np.ndarray:
    """Hash each utterance together with the next one.

    Args:
        hashes: Hashes of the utterances, uint64 of shape (m,).

    Returns:
        Hashes of the pairs, uint64 of shape (m,); equal for equal pairs of texts. The last has no second utterance.
    """
    following = np.append(hashes[1:], np.zeros(min(1, len(hashes)), np.uint64))
    # an odd multiplier and a shift keep (a, b) apart from (b, a); with 64 bits, the probability of a collision among
    # 10^6 pairs is 10^-8
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15) ^ (following >> np.uint64(29))
    return mixed + following * np.uint64(0xC2B2AE3D27D4EB4F)


def _id_keys(ids: pa.ChunkedArray, maps: list[mmap.mmap]) -> np.ndarray:
    """128-bit hash of each id, uint64 of shape (n, 2): equal for equal ids only, for all that can be expected."""
    parts = []
    for chunk in ids.chunks:
        parts.append(b"".join(xxh3_128_digest(key) for key in chunk.cast(pa.binary()).to_pylist()))
        release(maps)
    return np.frombuffer(b"".join(parts), np.uint64).reshape(-1, 2)


def _parallel_rows(ids: pa.ChunkedArray) -> pa.Table:
    """Numbers of the rows with a `parallel_id`, and a hash of each."""
    rows = np.flatnonzero(np.asarray(pc.is_valid(ids)))
    keys = [xxh3_128_digest(key)[:8] for key in ids.drop_null().cast(pa.binary()).to_pylist()]
    return records(row=rows, hash=np.frombuffer(b"".join(keys), np.uint64))
