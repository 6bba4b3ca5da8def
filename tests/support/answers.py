"""Answers that may be published."""

import pyarrow as pa
import pyarrow.parquet as pq


def say_redistributable(folder, value=True):
    """Add the column that `build` writes and the vectors do not need."""
    for path in (folder / "pairs").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.append_column("redistributable", pa.array([value] * len(table))), path)
    return folder
