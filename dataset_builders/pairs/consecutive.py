"""Dialogues -> contrastive pairs: each turn (anchor) with the next one (positive).

Pairs are made from whole arrow tables, without a Python object for each text. The filters of
`dataset_builders.quality` decide which pairs are worth keeping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.common.choices import CONTEXT_TURNS, DIRECTIONS, Direction
from dataset_builders.common.errors import DataError
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.text.normalize import ids_of_hashes, text_hashes


def make_pairs(
    dialogues: pa.Table,
    context_turns: int = CONTEXT_TURNS,
    directions: Sequence[str] = DIRECTIONS,
    hashes: np.ndarray | None = None,
) -> pa.Table:
    """Make all pairs of consecutive turns, whatever their length.

    Args:
        dialogues: Rows of the `dialogues` config.
        context_turns: Maximum number of turns kept before the anchor; the nearest are kept, oldest first.
        directions: Speakers of anchor and positive, some of `DIRECTIONS`.
        hashes: `text_hashes` of the turns of all dialogues, uint64 of shape (turns,); computed if None.

    Returns:
        Rows of the `pairs` config, in the order of the dialogues and their turns.

    Raises:
        DataError: A direction is unknown, or `directions` is empty.
    """
    directions = check_directions(directions)
    turns = _one_array(dialogues["turns"])
    starts, lengths = _starts_and_lengths(turns)
    flat = turns.flatten()
    texts, speakers = flat.field("text"), flat.field("speaker")

    dialogue_of = np.repeat(np.arange(len(lengths)), lengths)
    start_of = np.repeat(starts, lengths)
    anchor = np.flatnonzero(dialogue_of[:-1] == dialogue_of[1:])
    if len(directions) < len(DIRECTIONS):
        first, second = speakers.take(pa.array(anchor)), speakers.take(pa.array(anchor + 1))
        direction = pc.binary_join_element_wise(first, second, "-")
        anchor = anchor[pc.is_in(direction, pa.array(directions)).to_numpy(zero_copy_only=False)]

    dialogue = pa.array(dialogue_of[anchor])
    turn_index = anchor - start_of[anchor]
    dialogue_ids = _one_array(dialogues["dialogue_id"]).take(dialogue)
    positives = texts.take(pa.array(anchor + 1))
    count = len(anchor)
    schema = ARROW_SCHEMAS["pairs"]
    columns = {
        "pair_id": pc.binary_join_element_wise(dialogue_ids, pa.array(turn_index).cast(pa.string()), "#"),
        "dialogue_id": dialogue_ids,
        "turn_index": pa.array(turn_index),
        "anchor": texts.take(pa.array(anchor)),
        "positive": positives,
        "anchor_speaker": speakers.take(pa.array(anchor)),
        "positive_speaker": speakers.take(pa.array(anchor + 1)),
        "context": _context(texts, speakers, anchor, np.minimum(turn_index, context_turns)),
        "answer_id": ids_of_hashes(text_hashes(positives) if hashes is None else hashes[anchor + 1]),
        "negatives": empty_lists(count),
        "negative": pa.nulls(count, pa.string()),
        "pair_type": pa.repeat(pa.scalar("consecutive"), count),
        "quality": pa.nulls(count, schema.field("quality").type),  # set by the quality score
        "flags": empty_lists(count),
    }
    parallel = dialogues["parallel_id"].take(dialogue)
    columns["parallel_id"] = pc.binary_join_element_wise(parallel, pa.array(turn_index).cast(pa.string()), "#")
    for name in ("source", "language", "domains", "cluster_id", "origin", "metadata", "license", "redistributable"):
        columns[name] = dialogues[name].take(dialogue)
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def check_directions(directions: Sequence[str]) -> list[Direction]:
    """Validate directions and return them in the order of `DIRECTIONS`, each once.

    Raises:
        DataError: A direction is unknown, or `directions` is empty.
    """
    unknown = [name for name in directions if name not in DIRECTIONS]
    if unknown or not directions:
        problem = f"{unknown[0]!r} is not a direction of pairs" if unknown else "no direction of pairs"
        raise DataError(f"{problem}; expected some of {', '.join(DIRECTIONS)}")
    return [name for name in DIRECTIONS if name in directions]


def empty_lists(count: int) -> pa.ListArray:
    """Arrow array of `count` empty lists of strings."""
    return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()))


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # a table without rows
        combined = pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], type=combined.type)
    return cast(pa.Array, combined)


def _starts_and_lengths(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets[:-1] - offsets[0], np.diff(offsets)


def _context(texts: pa.Array, speakers: pa.Array, anchor: np.ndarray, lengths: np.ndarray) -> pa.ListArray:
    """Turns right before each anchor, as many as `lengths` says, oldest first."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    index = pa.array(np.repeat(anchor - lengths, lengths) + within)
    turns = pa.StructArray.from_arrays([speakers.take(index), texts.take(index)], names=["speaker", "text"])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns)
