"""Fragments -> the parquet files of a dataset folder; each file is a task of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa

from dataset_builders.arrow.mapped import release_unused
from dataset_builders.common.executor import Executor
from dataset_builders.common.storage import Storage
from dataset_builders.corpus import fragments
from dataset_builders.corpus.fragments import Piece, SourceRows, read
from dataset_builders.folder.layout import CLUSTERS, DROPS
from dataset_builders.folder.parquet import (
    NOTE_ROWS,
    ROW_GROUP_ROWS,
    SHARD_ROWS,
    FileWriter,
    Groups,
    ParquetWriter,
    note_names,
    shard_name,
)
from dataset_builders.quality.drops import DROPS_SCHEMA
from dataset_builders.schema import ARROW_SCHEMAS, CONFIGS, SPLITS, Config, Split
from dataset_builders.schema import CLUSTERS as MEMBERS

_GROUP = 1 << 17
"""Rows in a row group of cluster members."""


@dataclass(frozen=True)
class OutputFile:
    """A file of the dataset folder.

    Attributes:
        name: Path below the folder.
        config: Config of its rows; None for drop records.
        pieces: The rows, in order.
    """

    name: str
    config: Config | None
    pieces: list[Piece]

    def __len__(self) -> int:
        return sum(piece.rows for piece in self.pieces)


def write_files(
    folder: Path, storage: Storage, sources: Sequence[SourceRows], executor: Executor
) -> dict[tuple[Config, Split], list[Path]]:
    """Write the rows and the drop records of all sources.

    Args:
        folder: Dataset folder.
        storage: Where the fragments are.
        sources: Fragments of each source, in the order of the rows.
        executor: Runs the tasks.

    Returns:
        Paths of the files of each config and split.
    """
    keys: list[tuple[Config, Split]] = [(config, split) for config in CONFIGS for split in SPLITS]
    written = {key: _files_of(*key, sources) for key in keys}
    drops = _cut(fragments.DROPS, sources, NOTE_ROWS) or [[]]
    names = note_names(DROPS, sum(piece.rows for file in drops for piece in file))
    files = [file for some in written.values() for file in some]
    files += [OutputFile(name, None, pieces) for name, pieces in zip(names, drops, strict=True)]
    files.sort(key=len, reverse=True)
    files.insert(0, files.pop())  # the executor does the first one alone
    target = Storage(str(folder)) if executor.is_here else storage.below("files")
    work = partial(write_file, storage, target, files)
    for number, _ in enumerate(executor.in_order(work, len(files), label=partial(_name_of, files))):
        if not executor.is_here:
            with Storage(str(folder)).create(files[number].name) as path:
                shutil.copyfile(target.fetch(files[number].name), path)
            target.remove(files[number].name)
    return {key: [folder / file.name for file in some] for key, some in written.items()}


def _name_of(files: list[OutputFile], number: int) -> str:
    return files[number].name


def write_file(storage: Storage, folder: Storage, files: list[OutputFile], number: int) -> None:
    """Write one of the files.

    Args:
        storage: Where the fragments are.
        folder: Dataset folder.
        files: All files.
        number: Number of the file.
    """
    file = files[number]
    rows = (table for piece in file.pieces for table in read(storage, piece))
    with folder.create(file.name) as path:
        if file.config is None:
            _write_drops(path, rows)
        else:
            with FileWriter(path, ARROW_SCHEMAS[file.config]) as writer:
                for table in rows:
                    writer.write(table)
    release_unused()


def write_clusters(folder: Path, rows: int, members: Iterable[pa.Table]) -> None:
    """Write the members of all clusters.

    Args:
        folder: Dataset folder.
        rows: Number of members.
        members: Tables of `schema.CLUSTERS`; the bytes do not depend on their sizes.
    """

    def groups() -> Iterator[pa.Table]:
        cut = Groups(_GROUP)
        for table in members:
            yield from cut.add(table)
        yield from cut.rest() or ([] if rows else [MEMBERS.arrow_schema.empty_table()])

    left = groups()
    for name in note_names(CLUSTERS, rows):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with ParquetWriter(path, MEMBERS.arrow_schema, compression="zstd") as writer:
            for group in islice(left, NOTE_ROWS // _GROUP):
                writer.write_table(group)


def _files_of(config: Config, split: Split, sources: Sequence[SourceRows]) -> list[OutputFile]:
    """The files of a config and split."""
    files = _cut(f"{config}-{split}", sources, SHARD_ROWS)
    names = (f"{config}/{shard_name(split, number, len(files))}" for number in range(len(files)))
    return [OutputFile(name, config, pieces) for name, pieces in zip(names, files, strict=True)]


def _cut(key: str, sources: Sequence[SourceRows], rows: int) -> list[list[Piece]]:
    """Divide the rows of a key into files of at most `rows` rows, in the order of the fragments."""
    files: list[list[Piece]] = []
    room = 0
    for source in sources:
        for fragment in source.fragments(key):
            start = 0
            while start < len(fragment):
                if not room:
                    files.append([])
                    room = rows
                end = min(len(fragment), start + room)
                files[-1].append(fragment.piece(start, end))
                start, room = end, room - (end - start)
    return files


def _write_drops(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write drop records; a row group ends with the table that fills it."""
    with ParquetWriter(path, DROPS_SCHEMA, compression="zstd") as writer:
        pending, count = list[pa.Table](), 0
        for table in tables:
            pending.append(table)
            count += len(table)
            if count >= ROW_GROUP_ROWS:
                writer.write_table(pa.concat_tables(pending))
                pending, count = [], 0
        if pending:
            writer.write_table(pa.concat_tables(pending))
