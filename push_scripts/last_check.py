"""The last look at what leaves: no string in any file names a held-back row or quotes one.

The licence gate has taken all of it out; a push that finds some here stops, and says in which file and column.
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
"""Columns where any id of a held-back source counts, also one that no table has."""

_GROUPS = 20
"""Row groups of one column that are looked at together: at most some 100 MB."""


def check_nothing_held_leaves(files: Mapping[str, Path], held: HeldBack) -> None:
    """Looks at every string of every column, at the metadata of the parquet files, and at all other files.

    Args:
        files: Path in the repository -> the file that is uploaded.
        held: What must not leave.

    Raises:
        PushError: A string names or quotes a held-back row; says where, not which.
    """
    for path, file in files.items():
        for column, strings in _strings(path, file):
            names = held.names(strings, by_source=column in _IDS)
            quotes = held.quotes(strings, long_only=True)
            for what, where in (("names", names), ("quotes", quotes)):
                if count := pc.sum(where).as_py():
                    raise PushError(
                        f"{path}, {column}: {what} a held-back row ({count:,} values); nothing was pushed. Take these "
                        "values out of the raw files, or build without the sources that may not be redistributed"
                    )


def _strings(path: str, file: Path) -> Iterator[tuple[str, pa.Array | pa.ChunkedArray]]:
    """(column, its strings) of a file, in parts."""
    if not path.endswith(".parquet"):
        text = file.read_text(encoding="utf-8")
        lines = _leaves_of_json(json.loads(text)) if path.endswith(".json") else text.splitlines()
        yield "text", pa.array(lines, pa.string())
        return
    with pq.ParquetFile(file) as table:
        metadata = table.metadata.metadata or {}
        words = [part.decode(errors="replace") for pair in metadata.items() for part in pair]
        yield "metadata", pa.array(words, pa.string())
        for place in range(len(table.schema)):
            leaf = table.schema.column(place)
            if leaf.physical_type == "BYTE_ARRAY":
                for start in range(0, table.num_row_groups, _GROUPS):
                    groups = range(start, min(start + _GROUPS, table.num_row_groups))
                    column = table.read_row_groups(list(groups), columns=[leaf.path]).column(0)
                    for chunk in column.chunks:
                        yield leaf.path, _flat(chunk)


def _flat(array: pa.Array) -> pa.Array:
    """The strings in nested lists and structs of one field."""
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
