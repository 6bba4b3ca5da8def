"""Destinations of finished rows: a dataset folder, or a buffer that passes them on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.folder.layout import CLUSTERS, DROPS
from dataset_builders.folder.parquet import ROW_GROUP_ROWS, ParquetWriter, ShardWriter
from dataset_builders.quality.drops import DROPS_SCHEMA
from dataset_builders.schema import ARROW_SCHEMAS, CONFIGS, SPLITS, Config, Split


class Sink(Protocol):
    """Destination of finished rows and drop records."""

    def write(self, config: Config, split: Split, rows: pa.Table) -> None:
        """Accept rows of the config's schema."""

    def record(self, drops: pa.Table) -> None:
        """Accept drop records (`schema.DROPS`)."""


class BufferSink:
    """A sink that holds rows in memory until they are replayed into another sink, possibly in another process."""

    def __init__(self) -> None:
        self._rows: list[tuple[Config, Split, pa.Table]] = []
        self._drops: list[pa.Table] = []

    def __getstate__(self) -> dict[str, Any]:
        # pickling a slice would copy the whole table behind it
        rows = [(config, split, _stream(table)) for config, split, table in self._rows]
        return {"rows": rows, "drops": [_stream(table) for table in self._drops]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._rows = [(config, split, pa.ipc.open_stream(stream).read_all()) for config, split, stream in state["rows"]]
        self._drops = [pa.ipc.open_stream(stream).read_all() for stream in state["drops"]]

    def write(self, config: Config, split: Split, rows: pa.Table) -> None:
        """Buffer rows."""
        self._rows.append((config, split, rows))

    def record(self, drops: pa.Table) -> None:
        """Buffer drop records."""
        self._drops.append(drops)

    def replay(self, sink: Sink) -> None:
        """Pass everything on to another sink, with the rows and the drop records each in their original order."""
        for config, split, rows in self._rows:
            sink.write(config, split, rows)
        for drops in self._drops:
            sink.record(drops)


def _stream(table: pa.Table) -> pa.Buffer:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


class FolderWriter:
    """A sink that writes the parquet files of a dataset folder.

    Args:
        folder: Path of an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers = {
            (config, split): ShardWriter(folder / config, split, ARROW_SCHEMAS[config])
            for config in CONFIGS
            for split in SPLITS
        }
        (folder / DROPS).parent.mkdir()
        self._drops = ParquetWriter(folder / DROPS, DROPS_SCHEMA, compression="zstd")
        self._dropped: list[pa.Table] = []

    def write(self, config: Config, split: Split, rows: pa.Table) -> None:
        """Append rows."""
        self._writers[config, split].write(rows)

    def record(self, drops: pa.Table) -> None:
        """Append drop records."""
        self._dropped.append(drops)
        if sum(map(len, self._dropped)) >= ROW_GROUP_ROWS:
            self._write_drops()

    def close(self, members: pa.Table) -> dict[tuple[Config, Split], list[Path]]:
        """Finish all files.

        Args:
            members: Cluster members (`schema.CLUSTERS`).

        Returns:
            Paths of the shards of each config and split.
        """
        pq.write_table(members, self.folder / CLUSTERS, compression="zstd")
        self._write_drops()
        self._drops.close()
        return {key: writer.close() for key, writer in self._writers.items()}

    def _write_drops(self) -> None:
        if self._dropped:
            self._drops.write_table(pa.concat_tables(self._dropped))
            self._dropped = []
