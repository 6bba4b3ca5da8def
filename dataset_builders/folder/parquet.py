"""Parquet shards, named as on the Hub; equal rows give equal bytes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 5_000
"""Rows in a row group of pairs, intents or drops: about 10 MB at most, which a reader loads at once."""

ROW_GROUP_DIALOGUES = 1_000
"""Rows in a row group of dialogues, which are ten times as large."""

SHARD_ROWS = 100_000
"""Rows in a file: tens of MB on disk, so that streams and workers can share a split. A multiple of both groups."""

NOTE_ROWS = 1 << 20
"""Rows in a file of drop records or of members of clusters."""


class ParquetWriter(pq.ParquetWriter):
    """A parquet writer that reports a write error once, without a second traceback when it is garbage-collected."""

    def __del__(self) -> None:
        with suppress(OSError):
            super().__del__()


def group_rows(schema: pa.Schema) -> int:
    """Number of rows in a row group of this schema."""
    return ROW_GROUP_DIALOGUES if "turns" in schema.names else ROW_GROUP_ROWS


def shard_name(split: str, number: int, count: int) -> str:
    """Name of one of `count` files of a split."""
    return f"{split}-{number:05d}-of-{count:05d}.parquet"


def note_names(path: Path, rows: int) -> list[str]:
    """Names of the files of a table about the rows, such as `quality/drops.parquet`: several if it is large.

    Args:
        path: Path of the table below the dataset folder if it is one file.
        rows: Number of rows of the table.

    Example:
        >>> note_names(Path("quality", "drops.parquet"), 2_000_000)
        ['quality/drops-00000-of-00002.parquet', 'quality/drops-00001-of-00002.parquet']
    """
    count = max(1, -(-rows // NOTE_ROWS))
    names = [shard_name(path.stem, number, count) for number in range(count)] if count > 1 else [path.name]
    return [path.with_name(name).as_posix() for name in names]


class Groups:
    """Cuts tables into groups of equally many rows, whatever the sizes of the tables.

    Args:
        rows: Number of rows in a group.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._pending: list[pa.Table] = []

    def add(self, table: pa.Table) -> list[pa.Table]:
        """Append rows; returns the groups that they complete."""
        self._pending.append(table)
        count = sum(map(len, self._pending))
        if count < self.rows:
            return []
        rows = pa.concat_tables(self._pending)
        end = count - count % self.rows
        rest = rows.slice(end)
        if end > self.rows:  # a slice keeps the memory of all rows
            rest = rest.take(pa.array(np.arange(count - end)))
        self._pending = [rest]
        return [rows.slice(start, self.rows).combine_chunks() for start in range(0, end, self.rows)]

    def rest(self) -> list[pa.Table]:
        """The last group, if there are rows left."""
        rows = [table for table in self._pending if len(table)]
        self._pending = []
        return [pa.concat_tables(rows).combine_chunks()] if rows else []


class FileWriter:
    """Writes tables of one schema to a parquet file, with row groups cut by row number; a context manager.

    Args:
        path: Path of the file.
        schema: Schema of all tables; its metadata holds the `datasets` features.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._groups = Groups(group_rows(schema))
        # pages are cut by content, so that the Hub stores only what changed between two versions
        self._writer = ParquetWriter(path, schema, compression="zstd", use_content_defined_chunking=True)

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        for group in self._groups.add(table):
            self._writer.write_table(group)

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def close(self) -> None:
        """Write the remaining rows and the end of the file."""
        for group in self._groups.rest():
            self._writer.write_table(group)
        self._writer.close()


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
        self._shards: list[Path] = []
        self._writer: FileWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        while len(table):
            if self._writer is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._shards.append(self.folder / f"{self.split}-{len(self._shards):05d}.parquet")
                self._writer = FileWriter(self._shards[-1], self.schema)
            room = SHARD_ROWS - self.rows % SHARD_ROWS
            self._writer.write(table.slice(0, room))
            self.rows += min(len(table), room)
            table = table.slice(room)
            if self.rows % SHARD_ROWS == 0:
                self._end_shard()

    def close(self) -> list[Path]:
        """Write the remaining rows and give the shards their final names.

        Returns:
            Paths of the shards, in order.
        """
        self._end_shard()
        total = len(self._shards)
        paths = [self.folder / shard_name(self.split, number, total) for number in range(total)]
        for shard, path in zip(self._shards, paths, strict=True):
            shard.rename(path)
        return paths

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
