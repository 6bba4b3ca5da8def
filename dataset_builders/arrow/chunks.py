"""Rows of chunked arrow arrays, without a copy of all others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def take(column: pa.Array | pa.ChunkedArray, rows: np.ndarray) -> pa.Array:
    """The values of some rows, in the order of their numbers; `ChunkedArray.take` would first join all chunks.

    Args:
        column: Values of all rows.
        rows: Numbers of the rows, shape (n,).
    """
    if isinstance(column, pa.Array):
        return column.take(pa.array(rows))
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    parts = (chunk.take(pa.array(numbers)) for chunk, numbers, _ in by_chunk(column, ordered))
    taken = pa.concat_arrays([pa.array([], column.type), *parts])
    return taken if np.array_equal(ordered, rows) else taken.take(pa.array(np.argsort(order)))


def by_chunk(column: pa.ChunkedArray, rows: np.ndarray) -> Iterator[tuple[pa.Array, np.ndarray, slice]]:
    """The chunks with some rows.

    Args:
        column: Values of all rows.
        rows: Numbers of the rows, ascending; shape (n,).

    Yields:
        The chunk, the numbers of the rows within it, and their place in `rows`.
    """
    bounds = np.concatenate([[0], np.cumsum([len(chunk) for chunk in column.chunks])]).astype(np.int64)
    ends = np.searchsorted(rows, bounds)
    for number in np.flatnonzero(np.diff(ends)).tolist():
        here = slice(int(ends[number]), int(ends[number + 1]))
        yield column.chunk(number), rows[here] - bounds[number], here


def turn_texts(turns: pa.ListArray) -> pa.ListArray:
    """Texts of the turns of each dialogue: list of strings from list of turns, without a copy."""
    offsets = turns.offsets.to_numpy()
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), pc.struct_field(turns.flatten(), "text"))
