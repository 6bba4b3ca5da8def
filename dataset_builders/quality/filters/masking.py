"""Replaces stretches of the texts of a few rows; positions of slots and ids of answers follow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from dataset_builders.normalize import text_ids
from dataset_builders.schema import Config

Span = tuple[int, int, str]
"""Start, end (exclusive) and kind of a stretch of text."""

SpansOf = Callable[[int, str], list[Span]]
"""Row number and text -> the stretches to replace by `[KIND]`, in order."""


def mask_table(config: Config, table: pa.Table, numbers: np.ndarray, spans_of: SpansOf) -> pa.Table:
    """The table with the texts of the rows `numbers` (ascending) masked; all other rows are the same."""
    masked = table.take(pa.array(numbers)).to_pylist()
    for number, row in zip(numbers.tolist(), masked, strict=True):
        _MASKS[config](row, partial(spans_of, number))
    rows = np.arange(len(table))
    rows[numbers] = len(table) + np.arange(len(numbers))
    return pa.concat_tables([table, pa.Table.from_pylist(masked, schema=table.schema)]).take(pa.array(rows))


def replaced(text: str, spans: list[Span]) -> str:
    """The text with `[KIND]` for each stretch."""
    for start, end, kind in reversed(spans):
        text = f"{text[:start]}[{kind.upper()}]{text[end:]}"
    return text


def _mask_dialogue(row: dict[str, Any], find: Callable[[str], list[Span]]) -> None:
    for turn in row["turns"]:
        if spans := find(turn["text"]):
            for slot in turn["annotations"]["slots"] or []:
                if slot["start"] is not None:
                    slot["start"], slot["end"] = _moved(slot["start"], slot["end"], spans)
            turn["text"] = replaced(turn["text"], spans)


def _mask_pair(row: dict[str, Any], find: Callable[[str], list[Span]]) -> None:
    for side in ("anchor", "positive"):
        row[side] = replaced(row[side], find(row[side]))
    for turn in row["context"]:
        turn["text"] = replaced(turn["text"], find(turn["text"]))
    row["negatives"] = [replaced(text, find(text)) for text in row["negatives"] or []]
    row["answer_id"] = text_ids(pa.array([row["positive"]]))[0]


def _mask_utterance(row: dict[str, Any], find: Callable[[str], list[Span]]) -> None:
    row["utterance"] = replaced(row["utterance"], find(row["utterance"]))


_MASKS = {"dialogues": _mask_dialogue, "pairs": _mask_pair, "downstream": _mask_utterance}


def _moved(start: int, end: int, spans: list[Span]) -> tuple[int | None, int | None]:
    """The slot's position after the masks; none when it overlaps one."""
    shift = 0
    for first, last, kind in spans:
        if first < end and start < last:
            return None, None
        if last <= start:
            shift += len(kind) + 2 - (last - first)
    return start + shift, end + shift
