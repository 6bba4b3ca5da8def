"""Rows of chunked arrays."""

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.arrow.chunks import by_chunk, take

COLUMN = pa.chunked_array([["a", "b"], [], ["c"], ["d", None, "f"]], pa.string())


@pytest.mark.parametrize("rows", [[], [0], [0, 2, 5], [5, 0, 3, 3, 4], [2, 1, 0]])
def test_rows_are_taken_in_the_order_of_their_numbers(rows):
    rows = np.array(rows, np.int64)
    assert take(COLUMN, rows).to_pylist() == COLUMN.take(pa.array(rows)).to_pylist()
    assert take(COLUMN.combine_chunks(), rows).to_pylist() == take(COLUMN, rows).to_pylist()


def test_only_chunks_with_rows_are_read():
    read = [(chunk.to_pylist(), rows.tolist(), here) for chunk, rows, here in by_chunk(COLUMN, np.array([1, 3, 5]))]
    assert read == [(["a", "b"], [1], slice(0, 1)), (["d", None, "f"], [0, 2], slice(1, 3))]
