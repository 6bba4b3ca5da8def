"""Pairs that may be published."""

import pyarrow as pa
import pyarrow.parquet as pq


def add_redistributable(folder, value=True):
    """Add the column `redistributable` to the pairs of `write_pairs`."""
    for path in (folder / "pairs").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.append_column("redistributable", pa.array([value] * len(table))), path)
    return folder
