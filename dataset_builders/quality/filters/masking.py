"""Mask spans in the texts of rows, and adapt slot positions and answer ids."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from dataset_builders.schema import Config
from dataset_builders.text.normalize import text_ids

Span = tuple[int, int, str]
"""Start, end (exclusive) and kind of a span of text, in characters."""

SpansOf = Callable[[int, str], list[Span]]
"""Row number and text -> the spans to replace with `[KIND]`, in order."""


def mask_table(config: Config, table: pa.Table, numbers: np.ndarray, spans_of: SpansOf) -> pa.Table:
    """Mask the texts of some rows.

    Args:
        config: Config of the rows.
        table: Rows of that config.
        numbers: Row numbers to mask, ascending; other rows stay as they are.
        spans_of: Function that finds the spans.
    """
    masked = table.take(pa.array(numbers)).to_pylist()
    for number, row in zip(numbers.tolist(), masked, strict=True):
        find = partial(spans_of, number)
        _MASKS[config](row, find)
        if row.get("metadata"):
            row["metadata"] = _masked_json(row["metadata"], find)
    rows = np.arange(len(table))
    rows[numbers] = len(table) + np.arange(len(numbers))
    return pa.concat_tables([table, pa.Table.from_pylist(masked, schema=table.schema)]).take(pa.array(rows))


def replaced(text: str, spans: list[Span]) -> str:
    """Replace each span of the text with `[KIND]`."""
    ends = [0, *(end for _, end, _ in spans)]
    parts = [f"{text[end:start]}[{kind.upper()}]" for end, (start, _, kind) in zip(ends, spans, strict=False)]
    return "".join([*parts, text[ends[-1] :]])


def json_texts(text: str) -> Iterator[str]:
    """The strings and whole numbers in a JSON text, but not the keys of its objects.

    >>> list(json_texts('{"team": "tea", "phones": [7, null]}'))
    ['tea', '7']
    """
    values = [json.loads(text)]
    while values:
        value = values.pop(0)
        if isinstance(value, dict):
            values = [*value.values(), *values]
        elif isinstance(value, list):
            values = [*value, *values]
        elif _is_text(value):
            yield str(value)


def _masked_json(text: str, find: Callable[[str], list[Span]]) -> str:
    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: masked(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [masked(inner) for inner in value]
        spans = find(str(value)) if _is_text(value) else []
        return replaced(str(value), spans) if spans else value

    return json.dumps(masked(json.loads(text)), ensure_ascii=False, separators=(",", ":"))  # as own data writes it


def _is_text(value: Any) -> bool:
    """Whether a JSON value may be personal data: a number may be that of a card."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _mask_dialogue(row: dict[str, Any], find: Callable[[str], list[Span]]) -> None:
    for turn in row["turns"]:
        if spans := find(turn["text"]):
            growths = (len(kind) + 2 - (end - start) for start, end, kind in spans)
            shifts = list(accumulate(growths, initial=0))
            for slot in turn["annotations"]["slots"] or []:
                if slot["start"] is not None:
                    slot["start"], slot["end"] = _moved(slot["start"], slot["end"], spans, shifts)
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


def _moved(start: int, end: int, spans: list[Span], shifts: list[int]) -> tuple[int | None, int | None]:
    """The slot's position after masking; (None, None) if it overlaps a span.

    Args:
        start: First character of the slot.
        end: End of the slot, exclusive.
        spans: Masked spans, in order.
        shifts: Growth of the text by its first n masks, in characters, shape (spans + 1,).
    """
    before = bisect.bisect_right(spans, start, key=lambda span: span[1])
    if before < len(spans) and spans[before][0] < end:
        return None, None
    return start + shifts[before], end + shifts[before]
