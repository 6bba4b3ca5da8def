"""Dialogues -> contrastive pairs: each turn (anchor) with the turn after it (positive).

Works on whole arrow tables: texts are only gathered, never copied one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataset_builders import schema
from dataset_builders.normalize import text_ids

MIN_WORDS = 3
"""Both sides of a pair have MORE words than this: the rule of the first dialogue data platform."""

CONTEXT_TURNS = 50
"""Turns kept before the anchor. Longer than every task dialogue here; it bounds chat logs of thousands of turns."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of one table of dialogues, and how many consecutive turns made none.

    Attributes:
        table: Rows of the `pairs` config, in the order of the dialogues and their turns.
        too_short: Pairs left out because a side has at most `min_words` words.
    """

    table: pa.Table
    too_short: int


def word_count(text: str) -> int:
    """Words of a text, as separated by white space."""
    return len(text.split())


def make_pairs(dialogues: pa.Table, min_words: int = MIN_WORDS, context_turns: int = CONTEXT_TURNS) -> Pairs:
    """All pairs of consecutive turns.

    Args:
        dialogues: Rows of the `dialogues` config.
        min_words: A pair is kept when both sides have more words than this; 0 keeps all.
        context_turns: At most so many turns before the anchor are kept, the nearest ones.

    Returns:
        The pairs with their context, oldest turn first.
    """
    turns = dialogues["turns"].combine_chunks()
    if isinstance(turns, pa.ChunkedArray):  # a table without rows
        turns = pa.concat_arrays(turns.chunks) if turns.num_chunks else pa.array([], type=turns.type)
    starts, lengths = _starts_and_lengths(turns)
    flat = turns.flatten()
    texts, speakers = flat.field("text"), flat.field("speaker")

    dialogue_of = np.repeat(np.arange(len(lengths)), lengths)
    start_of = np.repeat(starts, lengths)
    consecutive = np.flatnonzero(dialogue_of[:-1] == dialogue_of[1:])
    plain = texts.to_pylist()
    long_enough = np.fromiter((word_count(t) > min_words for t in plain), dtype=bool, count=len(plain))
    anchor = consecutive[long_enough[consecutive] & long_enough[consecutive + 1]]

    dialogue = dialogue_of[anchor]
    turn_index = anchor - start_of[anchor]
    dialogue_ids = dialogues["dialogue_id"].take(pa.array(dialogue))
    pair_ids = [f"{name}#{index}" for name, index in zip(dialogue_ids.to_pylist(), turn_index.tolist(), strict=True)]
    positives = texts.take(pa.array(anchor + 1))
    columns = {
        "pair_id": pair_ids,
        "dialogue_id": dialogue_ids,
        "turn_index": turn_index,
        "anchor": texts.take(pa.array(anchor)),
        "positive": positives,
        "anchor_speaker": speakers.take(pa.array(anchor)),
        "positive_speaker": speakers.take(pa.array(anchor + 1)),
        "context": _context(texts, speakers, anchor, np.minimum(turn_index, context_turns)),
        "answer_id": text_ids(positives),
    }
    count = len(anchor)
    columns["pair_type"] = pa.repeat(pa.scalar("consecutive"), count)
    columns["negatives"] = columns["flags"] = pa.ListArray.from_arrays(
        pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string())
    )
    columns["quality"] = pa.nulls(count, schema.ARROW_SCHEMAS["pairs"].field("quality").type)  # set by its filters
    for name in ("source", "language", "domains", "cluster_id", "license", "redistributable"):
        columns[name] = dialogues[name].take(pa.array(dialogue))
    wanted = schema.ARROW_SCHEMAS["pairs"]
    arrays = [_as_array(columns[name], wanted.field(name).type) for name in wanted.names]
    return Pairs(pa.Table.from_arrays(arrays, schema=wanted), len(consecutive) - len(anchor))


def _starts_and_lengths(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets[:-1] - offsets[0], np.diff(offsets)


def _context(texts: pa.Array, speakers: pa.Array, anchor: np.ndarray, lengths: np.ndarray) -> pa.ListArray:
    """For each anchor the `lengths` turns right before it."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    index = pa.array(np.repeat(anchor - lengths, lengths) + within)
    turns = pa.StructArray.from_arrays([speakers.take(index), texts.take(index)], names=["speaker", "text"])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns)


def _as_array(column: pa.ChunkedArray | pa.Array | np.ndarray | list, kind: pa.DataType) -> pa.ChunkedArray:
    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
    return array.cast(kind)
