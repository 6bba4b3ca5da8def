"""The last check before the upload: no string in any file names or quotes a held-back row.

The licence gate removes all of them. If this check finds one nevertheless, the push stops and names file and column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from push_scripts.errors import PushError
from push_scripts.held_back import HeldBack

_IDS = ("dialogue_id", "pair_id", "utterance_id", "row_id", "nearest_id", "value")
"""Columns where every id of a held-back source counts, even if no table has it."""

_ROW_GROUPS = 20
"""Row groups of one column that are checked together: about 100 MB at most."""


def refuse_held_back(files: Mapping[str, Path], held_back: HeldBack) -> None:
    """Check every string in every column, the metadata of the parquet files, and all other files.

    Args:
        files: Path in the repository -> file to upload.
        held_back: Sources, ids and texts that must not be published.

    Raises:
        PushError: A string names or quotes a held-back row; the message says where, but not which one.
    """
    # rows before the card, which quotes some of them: the message names where a string comes from
    for path, file in sorted(files.items(), key=lambda item: not item[0].endswith(".parquet")):
        for column, strings in _strings(path, file):
            ids = held_back.find_ids(strings, by_source=column in _IDS)
            texts = held_back.find_texts(strings, long_only=True)
            for verb, mask in (("names", ids), ("quotes", texts)):
                if count := pc.sum(mask).as_py():
                    raise PushError(
                        f"{path}, {column}: {verb} a held-back row ({count:,} values); nothing was pushed. Remove "
                        "these values from the raw files, or build without the sources that may not be redistributed"
                    )


def _strings(path: str, file: Path) -> Iterator[tuple[str, pa.Array | pa.ChunkedArray]]:
    """Yield (column, strings) of a file, in parts."""
    if not path.endswith(".parquet"):
        text = file.read_text(encoding="utf-8")
        lines = _leaves_of_json(json.loads(text)) if path.endswith(".json") else text.splitlines()
        yield "text", pa.array(lines, pa.string())
        return
    with pq.ParquetFile(file) as table:
        metadata = table.metadata.metadata or {}
        strings = [part.decode(errors="replace") for item in metadata.items() for part in item]
        yield "metadata", pa.array(strings, pa.string())
        for index in range(len(table.schema)):
            leaf = table.schema.column(index)
            if leaf.physical_type == "BYTE_ARRAY":
                for start in range(0, table.num_row_groups, _ROW_GROUPS):
                    groups = range(start, min(start + _ROW_GROUPS, table.num_row_groups))
                    column = table.read_row_groups(list(groups), columns=[leaf.path]).column(0)
                    for chunk in column.chunks:
                        yield leaf.path, _flat(chunk)


def _flat(array: pa.Array) -> pa.Array:
    """Return the strings in nested lists and structs of one field."""
    while pa.types.is_nested(array.type):
        array = array.field(0) if pa.types.is_struct(array.type) else array.flatten()
    return array


def _leaves_of_json(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _leaves_of_json(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves_of_json(inner)
