"""Fragments: the finished rows of one source, stored so that changes of other sources do not affect them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from dataset_builders.corpus.sinks import Sink
from dataset_builders.schema import CONFIGS, SPLITS, Config, Split

_DROPS = "drops"


class FragmentWriter:
    """A sink that writes rows and drop records to Arrow files in a folder; a context manager.

    Args:
        folder: Folder to create.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._writers: dict[str, pa.RecordBatchFileWriter] = {}

    def write(self, config: Config, split: Split, rows: pa.Table) -> None:
        """Append rows."""
        self._append(f"{config}-{split}", rows)

    def record(self, drops: pa.Table) -> None:
        """Append drop records."""
        self._append(_DROPS, drops)

    def __enter__(self) -> FragmentWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def _append(self, name: str, table: pa.Table) -> None:
        if name not in self._writers:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writers[name] = pa.ipc.new_file(self.folder / f"{name}.arrow", table.schema, options=options)
        self._writers[name].write_table(table.combine_chunks())


def replay(folder: Path, sink: Sink) -> None:
    """Write the tables of a `FragmentWriter` to a sink one by one; the sink writes the same bytes as without it."""
    for config in CONFIGS:
        for split in SPLITS:
            for table in _tables(folder / f"{config}-{split}.arrow"):
                sink.write(config, split, table)
    for table in _tables(folder / f"{_DROPS}.arrow"):
        sink.record(table)


def _tables(path: Path) -> Iterator[pa.Table]:
    if path.exists():
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])
