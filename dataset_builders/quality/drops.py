"""Records of dropped rows, in one form for all filters and checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders import schema

DROPS_SCHEMA = schema.DROPS.arrow_schema

VALUE_LENGTH = 200
"""Maximum number of characters that a drop record quotes from a value or a text."""


def drop_rows(
    config: schema.Config,
    rows: pa.Table,
    split: str | list[str],
    filter: str,
    reason: str,
    values: list[str] | pa.Array | pa.ChunkedArray,
) -> pa.Table:
    """Make the drop records of rows.

    Args:
        config: Config of the rows.
        rows: Rows to record, all of them.
        split: Split of the rows: one for all, or one for each row.
        filter: Name of the check that drops them.
        reason: The reason, one sentence.
        values: Offending value of each row, (rows,).
    """
    count = len(rows)
    if isinstance(values, list):
        values = pa.array(values, pa.string())
    if config == "dialogues":
        dialogue_ids, text = rows["dialogue_id"], dialogue_texts(rows)
    elif config == "pairs":
        dialogue_ids = rows["dialogue_id"]
        text = pc.binary_join_element_wise(rows["anchor"], rows["positive"], " -> ")
    else:
        dialogue_ids, text = pa.nulls(count, pa.string()), rows["utterance"]
    columns = {
        "config": pa.repeat(config, count),
        "row_id": rows.column(0),
        "dialogue_id": dialogue_ids,
        "source": rows["source"],
        "split": pa.repeat(split, count) if isinstance(split, str) else pa.array(split, pa.string()),
        "filter": pa.repeat(filter, count),
        "reason": pa.repeat(reason, count),
        "value": pc.utf8_slice_codeunits(values, 0, VALUE_LENGTH),
        "text": pc.utf8_slice_codeunits(text, 0, VALUE_LENGTH),
        "license": rows["license"],
        "redistributable": rows["redistributable"],
    }
    return pa.table(columns).cast(DROPS_SCHEMA)


def dialogue_texts(rows: pa.Table) -> pa.Array:
    """The turns of each dialogue as one text."""
    turns = rows["turns"].combine_chunks()
    if isinstance(turns, pa.ChunkedArray):  # a table without rows
        return pa.array([], pa.string())
    texts = pc.struct_field(turns.flatten(), "text")
    offsets = turns.offsets.to_numpy()
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), texts), " | ")


@dataclass(frozen=True)
class Findings:
    """Rows that a filter objects to.

    Attributes:
        rows: Ascending, unique row numbers, int64 of shape (n,).
        values: Offending value of each row, string array of shape (n,): the suspicious text or the measured number.
    """

    rows: np.ndarray
    values: pa.Array
