"""Dialogues -> contrastive pairs: each turn (anchor) with the next one (positive).

Pairs are made from whole arrow tables, without a Python object for each text. The filters of
`dataset_builders.quality` decide which pairs are worth keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.lists import empty_lists
from dataset_builders.common.choices import CONTEXT_TURNS, DIRECTIONS, Direction
from dataset_builders.common.errors import DataError
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.text.normalize import ids_of_hashes, text_hashes

_CONTEXT = ARROW_SCHEMAS["pairs"].field("context").type


def make_pairs(
    dialogues: pa.Table,
    context_turns: int = CONTEXT_TURNS,
    directions: Sequence[str] = DIRECTIONS,
    hashes: np.ndarray | None = None,
    with_context: bool = True,
) -> pa.Table:
    """Make all pairs of consecutive turns, whatever their length.

    Args:
        dialogues: Rows of the `dialogues` config.
        context_turns: Maximum number of turns kept before the anchor; the nearest are kept, oldest first.
        directions: Speakers of anchor and positive, some of `DIRECTIONS`.
        hashes: `text_hashes` of the turns of all dialogues, uint64 of shape (turns,); computed if None.
        with_context: Whether the pairs have their context; else it is empty, and `contexts_of` makes it later. It is
            several times as large as all other columns.

    Returns:
        Rows of the `pairs` config, in the order of the dialogues and their turns.

    Raises:
        DataError: A direction is unknown, or `directions` is empty.
    """
    return pairs_of(dialogues, context_turns, directions, hashes, with_context)[0]


def pairs_of(
    dialogues: pa.Table,
    context_turns: int,
    directions: Sequence[str],
    hashes: np.ndarray | None,
    with_context: bool,
) -> tuple[pa.Table, np.ndarray]:
    """`make_pairs`, and the number of each pair's dialogue, int64 of shape (pairs,)."""
    directions = check_directions(directions)
    turns = Turns.of(dialogues["turns"])
    texts, speakers, lengths = turns.texts, turns.speakers, np.diff(turns.starts)
    dialogue_of = np.repeat(np.arange(len(lengths)), lengths)
    start_of = np.repeat(turns.starts[:-1], lengths)
    anchor = np.flatnonzero(dialogue_of[:-1] == dialogue_of[1:])
    if len(directions) < len(DIRECTIONS):
        first, second = speakers.take(pa.array(anchor)), speakers.take(pa.array(anchor + 1))
        direction = pc.binary_join_element_wise(first, second, "-")
        anchor = anchor[pc.is_in(direction, pa.array(directions)).to_numpy(zero_copy_only=False)]

    turn_index = anchor - start_of[anchor]
    context = turns.before(dialogue_of[anchor], turn_index, context_turns if with_context else 0)
    dialogue = pa.array(dialogue_of[anchor])
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
        "context": context,
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
    table = pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
    return table, dialogue_of[anchor]


def contexts_of(dialogues: pa.Table, context_turns: int) -> Callable[[pa.Table], pa.ListArray]:
    """Function that makes the context of pairs of some dialogues (`make_pairs`), for pairs that have none yet."""
    turns, ids = Turns.of(dialogues["turns"]), dialogues["dialogue_id"]

    def contexts(pairs: pa.Table) -> pa.ListArray:
        dialogue = np.asarray(pc.index_in(pairs["dialogue_id"], ids), np.int64)
        return turns.before(dialogue, np.asarray(pairs["turn_index"], np.int64), context_turns)

    return contexts


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


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # a table without rows
        combined = pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], type=combined.type)
    return cast(pa.Array, combined)


@dataclass(frozen=True)
class Turns:
    """The turns of n dialogues, one after the other.

    Attributes:
        texts: Text of each turn.
        speakers: Speaker of each turn.
        starts: Bounds of the turns of each dialogue, int64 of shape (n + 1,).
    """

    texts: pa.Array
    speakers: pa.Array
    starts: np.ndarray

    @classmethod
    def of(cls, turns: pa.ChunkedArray) -> Turns:
        """The turns in the column `turns`."""
        lists = _one_array(turns)
        flat, offsets = lists.flatten(), lists.offsets.to_numpy().astype(np.int64)
        return cls(flat.field("text"), flat.field("speaker"), offsets - offsets[0])

    def before(self, dialogue: np.ndarray, turn_index: np.ndarray, most: int) -> pa.ListArray:
        """The context of some turns: those right before each, oldest first.

        Args:
            dialogue: Dialogue of each of m turns, shape (m,).
            turn_index: Its place in the dialogue, shape (m,).
            most: Maximum number of turns before each.

        Returns:
            m lists, as the column `context` of pairs has them.
        """
        lengths, turn = np.minimum(turn_index, most), self.starts[dialogue] + turn_index
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        index = pa.array(np.repeat(turn - lengths, lengths) + within)
        columns = [self.speakers.take(index), self.texts.take(index)]
        turns = pa.StructArray.from_arrays(columns, names=["speaker", "text"])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns).cast(_CONTEXT)
