"""Normal forms of the utterances of a shard, which are made once and read again by the tasks that compare dialogues."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.chunks import take
from dataset_builders.arrow.exchange import array, load, records, save_all
from dataset_builders.arrow.mapped import mapped, release
from dataset_builders.survey.plan import Plan
from dataset_builders.text.ragged import Ragged

_TEXTS_AT_ONCE = 4096
"""Dialogues read at once: each step has a fixed cost."""
_BYTES_AT_ONCE = 1 << 21
"""Bytes of their texts: a meeting has as many as a hundred chats."""


def save_normal(plan: Plan, number: int, texts: Iterable[pa.Array]) -> None:
    """Keep the normalised utterances of a shard, several arrays of them in order."""
    tables = (records(text=each) for each in texts)
    save_all(plan.storage, _file(number), [records(text=pa.array([], pa.string())), *tables])


def turns_of(plan: Plan, number: int, rows: np.ndarray) -> pa.ListArray:
    """The normalised turns of some dialogues of a shard, by their numbers in it, ascending."""
    lengths, maps = array(load(plan.storage, f"rows/{number:05d}"), "length"), list[mmap.mmap]()
    utterances, _ = Ragged.of(np.arange(lengths.sum()), lengths).gather(rows)
    texts = take(mapped(plan.storage.fetch(_file(number)), maps)["text"], utterances)
    release(maps)
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(lengths[rows])), pa.int32()), texts)


def blocks(plan: Plan, number: int, rows: np.ndarray) -> Iterator[slice]:
    """Cut some dialogues of a shard into those that are in memory at once, by the bytes of their texts.

    Args:
        plan: The plan.
        number: Number of the shard.
        rows: Numbers of the dialogues in the shard, ascending.

    Yields:
        Places in `rows`.
    """
    ends, start = np.cumsum(array(load(plan.storage, f"rows/{number:05d}"), "bytes")[rows]), 0
    while start < len(rows):
        done = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, done + _BYTES_AT_ONCE, "right"))
        here = slice(start, min(start + _TEXTS_AT_ONCE, max(start + 1, fitting)))
        yield here
        start = here.stop


def _file(number: int) -> str:
    return f"normal/{number:05d}"
