"""Fragments: the finished rows of a shard in Arrow files, until they are cut into the files of a dataset folder.

A shard has a file for each config and split with rows, `SOURCE/NNNNN-CONFIG-SPLIT.arrow`, and one for its drop records,
`SOURCE/NNNNN-drops.arrow`. A batch has at most the rows of a row group, so that a reader needs little memory and begins
at any row without reading all rows before it. The batches of drop records are those that were recorded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pyarrow as pa

from dataset_builders.common.storage import Storage
from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.folder.parquet import group_rows
from dataset_builders.schema import Config, Split

DROPS = "drops"
"""Key of the drop records among the fragments of a shard; the others are `CONFIG-SPLIT`."""


class FragmentWriter:
    """Writes the rows and drop records of a shard; see `fragment_writer`.

    Attributes:
        batches: Number of rows of each batch in each file so far, by its key.
    """

    def __init__(self, storage: Storage, shard: str, files: ExitStack) -> None:
        self.batches: dict[str, list[int]] = {}
        self._storage, self._shard, self._files = storage, shard, files
        self._writers: dict[str, pa.RecordBatchFileWriter] = {}

    def write(self, config: Config, split: Split, rows: pa.Table) -> None:
        """Append rows."""
        size = group_rows(rows.schema)
        for start in range(0, len(rows), size):
            self._append(f"{config}-{split}", rows.slice(start, size))

    def record(self, drops: pa.Table) -> None:
        """Append drop records."""
        if len(drops):
            self._append(DROPS, drops)

    def _append(self, key: str, table: pa.Table) -> None:
        if key not in self._writers:
            path = self._files.enter_context(self._storage.create(_file(self._shard, key)))
            options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
            self._writers[key] = self._files.enter_context(pa.ipc.new_file(path, table.schema, options=options))
            self.batches[key] = []
        self._writers[key].write_table(table.combine_chunks())
        self.batches[key].append(len(table))


@contextmanager
def fragment_writer(storage: Storage, shard: str) -> Iterator[FragmentWriter]:
    """Write the fragments of a shard, which are complete at the end or absent.

    Args:
        storage: Where to write.
        shard: Name of the shard.
    """
    with ExitStack() as files:
        yield FragmentWriter(storage, shard, files)


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of a fragment.

    Attributes:
        file: Name of the file in the storage.
        batch: Number of the batch with the first row.
        start: Number of the first row in that batch.
        rows: Number of rows.
    """

    file: str
    batch: int
    start: int
    rows: int


@dataclass(frozen=True)
class Fragment:
    """A file of rows or drop records.

    Attributes:
        file: Its name in the storage.
        batches: Number of rows of each batch.
    """

    file: str
    batches: list[int]

    def __len__(self) -> int:
        return sum(self.batches)

    def piece(self, start: int, end: int) -> Piece:
        """The rows from `start` on, without `end` and those after it."""
        ends = list(accumulate(self.batches))
        batch = bisect_right(ends, start)
        return Piece(self.file, batch, start - (ends[batch] - self.batches[batch]), end - start)


def read(storage: Storage, piece: Piece) -> Iterator[pa.Table]:
    """The rows of a piece, in tables as they were written."""
    with storage.open(piece.file) as file:
        reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False))
        batch, start, left = piece.batch, piece.start, piece.rows
        while left:
            rows = pa.Table.from_batches([reader.get_batch(batch)]).slice(start, left)
            yield rows
            batch, start, left = batch + 1, 0, left - len(rows)


@dataclass
class SourceRows:
    """The fragments of a source.

    Attributes:
        counts: Counts of the source.
        shards: `FragmentWriter.batches` of each shard, by its name, in the order of the rows.
    """

    counts: SourceCounts
    shards: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def fragments(self, key: str) -> Iterator[Fragment]:
        """The files of a config and split, or of drop records."""
        for shard, batches in self.shards.items():
            if key in batches:
                yield Fragment(_file(shard, key), batches[key])


def by_source(results: Iterable[dict[str, Any]], folder: str = "") -> list[SourceRows]:
    """Sum the results of `writing.write_shard` by their sources, in the order of the rows.

    Args:
        results: Results of the shards.
        folder: Folder of the fragments in the storage that they will be read from.
    """
    sources: dict[str, SourceRows] = {}
    for result in results:
        counts = SourceCounts.of(result["counts"])
        name = counts.info.name
        if name in sources:
            sources[name].counts.add(counts)
        else:
            sources[name] = SourceRows(counts)
        sources[name].shards[f"{folder}{result['shard']}"] = result["batches"]
    return list(sources.values())


def _file(shard: str, key: str) -> str:
    return f"{shard}-{key}.arrow"
