"""Parquet shards, named as on the Hub; equal rows give equal bytes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 5_000
"""Rows in a row group of pairs, intents or drops: about 10 MB at most, which a reader loads at once."""

ROW_GROUP_DIALOGUES = 1_000
"""Rows in a row group of dialogues, which are ten times as large."""

SHARD_ROWS = 100_000
"""Rows in a file: tens of MB on disk, so that streams and workers can share a split."""


class ParquetWriter(pq.ParquetWriter):
    """A parquet writer that reports a write error once, without a second traceback when it is garbage-collected."""

    def __del__(self) -> None:
        with suppress(OSError):
            super().__del__()


class ShardWriter:
    """Writes tables of one schema to `FOLDER/SPLIT-NNNNN-of-NNNNN.parquet`.

    Row groups and shards are cut by row number, so they do not depend on the sizes of the tables.

    Args:
        folder: Folder of the shards; created with the first row.
        split: Split, the first part of the file names.
        schema: Schema of all tables; its metadata holds the `datasets` features.

    Attributes:
        rows: Number of rows written so far.
    """

    def __init__(self, folder: Path, split: str, schema: pa.Schema) -> None:
        self.folder, self.split, self.schema = folder, split, schema
        self.rows = 0
        self._group_rows = ROW_GROUP_DIALOGUES if "turns" in schema.names else ROW_GROUP_ROWS
        self._pending: list[pa.Table] = []
        self._shards: list[Path] = []
        self._writer: ParquetWriter | None = None
        self._shard_rows = 0

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        self.rows += len(table)
        self._pending.append(table)
        count = sum(map(len, self._pending))
        if count < self._group_rows:
            return
        rows = pa.concat_tables(self._pending)
        end = count - count % self._group_rows
        for start in range(0, end, self._group_rows):
            self._write_group(rows.slice(start, self._group_rows))
        self._pending = [rows.take(pa.array(np.arange(end, count)))]  # a slice would keep the memory of all rows

    def close(self) -> list[Path]:
        """Write the remaining rows and give the shards their final names.

        Returns:
            Paths of the shards, in order.
        """
        rest = pa.concat_tables(self._pending) if self._pending else None
        if rest is not None and len(rest):
            self._write_group(rest)
        self._end_shard()
        total = len(self._shards)
        paths = [self.folder / f"{self.split}-{i:05d}-of-{total:05d}.parquet" for i in range(total)]
        for shard, path in zip(self._shards, paths, strict=True):
            shard.rename(path)
        return paths

    def _write_group(self, rows: pa.Table) -> None:
        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._shards.append(self.folder / f"{self.split}-{len(self._shards):05d}.parquet")
            # pages are cut by content, so that the Hub stores only what changed between two versions
            self._writer = ParquetWriter(
                self._shards[-1], self.schema, compression="zstd", use_content_defined_chunking=True
            )
        self._writer.write_table(rows.combine_chunks())
        self._shard_rows += len(rows)
        if self._shard_rows >= SHARD_ROWS:
            self._end_shard()

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._shard_rows = None, 0
