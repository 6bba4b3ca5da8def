"""Rows of the `downstream` config: utterances with their intents."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cube_model.data.hub import MissingColumnsError, read_rows

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("source", "utterance", "label", "scenario", "is_out_of_scope", "language", "flags")


def read_intent_rows(
    data: str | os.PathLike[str], split: str, revision: str | None = None, columns: tuple[str, ...] = COLUMNS
) -> pa.Table:
    """Read the columns of a split.

    Args:
        data: Dataset: folder written by `dialogue-cube build`, or Hub repository.
        split: `train`, `validation` or `test`.
        revision: Branch, tag or commit of a Hub repository.
        columns: Columns besides `labels`.

    Returns:
        These columns and `labels`, which is null if the dataset is older than this column.

    Raises:
        ModelError: See `read_rows`.
    """
    import pyarrow as pa

    advice = " with an intent set, such as banking77,"
    try:
        return read_rows(data, "downstream", split, (*columns, "labels"), revision=revision, advice=advice)
    except MissingColumnsError as error:
        if list(error.columns) != ["labels"]:
            raise
    table = read_rows(data, "downstream", split, columns, revision=revision, advice=advice)
    return table.append_column("labels", pa.nulls(len(table), pa.list_(pa.string())))
