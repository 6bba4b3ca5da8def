"""What was noticed about rows that are kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def with_flags(table: pa.Table, flags: list[tuple[str, np.ndarray]]) -> pa.Table:
    """A table whose rows carry further flags, after those they have, each at most once a row.

    Args:
        table: Rows with a column `flags`.
        flags: (flag, numbers of the rows that get it).
    """
    if not any(len(numbers) for _, numbers in flags):
        return table
    old = table["flags"].combine_chunks()
    old_rows = np.repeat(np.arange(len(table)), pc.list_value_length(old).fill_null(0).to_numpy())
    rows = np.concatenate([old_rows, *(numbers for _, numbers in flags)])
    added = np.repeat([name for name, _ in flags], [len(numbers) for _, numbers in flags])
    names, codes = np.unique(np.concatenate([old.flatten().to_numpy(zero_copy_only=False), added]), return_inverse=True)
    _, first = np.unique(rows * len(names) + codes, return_index=True)
    first = first[np.lexsort((first, rows[first]))]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows[first], minlength=len(table)))])
    values = pa.array(names.tolist(), pa.string()).take(pa.array(codes[first]))
    place = table.schema.get_field_index("flags")
    return table.set_column(
        place, table.schema.field(place), pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    )
