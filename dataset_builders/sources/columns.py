"""Arrow columns from the results of a parser."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa

from dataset_builders import schema
from dataset_builders.arrow.lists import empty_lists
from dataset_builders.sources.terms import Kind, Terms


def trim_turn(turn: schema.Turn) -> bool:
    """Trim the text of a turn and shift the positions of its slots; returns whether it has a visible character."""
    text = turn.text.strip()
    if text != turn.text:
        shift = len(turn.text) - len(turn.text.lstrip())
        for slot in turn.slots:
            if slot["start"] is not None:
                slot["start"], slot["end"] = slot["start"] - shift, slot["end"] - shift
        turn.text = text
    return bool(text)


def turns_column(dialogues: list[list[schema.Turn]], terms: Terms) -> pa.ListArray:
    """The column `turns` from the turns of n dialogues; `terms` gives the common words of the annotations."""
    kind = schema.ARROW_SCHEMAS["dialogues"].field("turns").type
    turns = [turn for dialogue in dialogues for turn in dialogue]
    speaker, text, annotations, speaker_id = kind.value_type
    values: dict[str, list[Any]] = {
        "acts": [turn.acts for turn in turns],
        "slots": [turn.slots for turn in turns],
        "state": [turn.state for turn in turns],
    }
    fields = list(annotations.type)
    lists = [
        _with_common(pa.array(values[field.name], field.type), terms)
        if any(values[field.name])
        else empty_lists(len(turns), field.type)
        for field in fields
    ]
    arrays = [
        pa.array([turn.speaker for turn in turns], speaker.type),
        pa.array([turn.text for turn in turns], text.type),
        pa.StructArray.from_arrays(lists, fields=fields),
        pa.array([turn.speaker_id for turn in turns], speaker_id.type),
    ]
    offsets = [0, *itertools.accumulate(map(len, dialogues))]
    structs = pa.StructArray.from_arrays(arrays, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=kind)


def _with_common(lists: pa.ListArray, terms: Terms) -> pa.ListArray:
    """Lists of annotations, with the columns `common_*` filled."""
    entries = lists.flatten()
    if not len(entries):
        return lists
    kinds: dict[str, Kind] = {"common_act": "act", "common_domain": "domain", "common_slot": "slot"}
    arrays = [
        terms.of(kinds[field.name], entries.field(kinds[field.name])) if field.name in kinds else entries.field(number)
        for number, field in enumerate(entries.type)
    ]
    structs = pa.StructArray.from_arrays(arrays, fields=list(entries.type))
    return pa.ListArray.from_arrays(lists.offsets, structs, type=lists.type)


def column(values: Any, field: pa.Field, count: int) -> pa.Array:
    """A column; null without values."""
    if values is None:
        return pa.nulls(count, field.type)
    return values.cast(field.type) if isinstance(values, pa.Array) else pa.array(values, field.type)
