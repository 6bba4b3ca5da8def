"""Parsed sources: rows in files of about `SHARD_TURNS` utterances, the shards of a build.

The files are kept in the cache of `datasets`, beside the folder that `datasets` itself would use. Its key covers the
raw files and the code of the parser, so that changed code or input never gives stale rows.
"""

from __future__ import annotations

import errno
import mmap
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.exchange import array, load, save
from dataset_builders.arrow.mapped import mapped, release_unused
from dataset_builders.common.errors import DataError
from dataset_builders.common.executor import Executor, LocalExecutor
from dataset_builders.common.files import exclusive
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.schema import ALL, SPLITS
from dataset_builders.sources.raw_files import RawFile, close_archives
from dataset_builders.sources.source import CorpusBuilder
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT

SHARD_TURNS = 100_000
"""Utterances in a shard, about: a task holds their texts in memory, but not all their pairs."""

ROWS_AT_ONCE = 500
"""Rows of a block: each process holds at least one in memory, along with all its pairs."""

TURNS_AT_ONCE = 20_000
"""Utterances up to which a process holds several blocks: each step has a fixed cost, such as compiling a pattern."""

SHARD_ROWS = 20_000
"""Rows in a shard, about: a task holds signatures of all its dialogues in memory."""

_GROUP_BYTES = 64_000_000
"""Raw files of a source that one task parses, about."""


@dataclass(frozen=True)
class Part:
    """A file with rows of one source.

    Attributes:
        name: Name of the file.
        rows: Number of rows.
        turns: Number of utterances; an intent has one.
    """

    name: str
    rows: int
    turns: int

    @property
    def splits(self) -> str:
        """Name of the file with the splits of the rows."""
        return f"{self.name}-splits"


@dataclass(frozen=True)
class ParsedSource:
    """The rows of one source, in the order train, validation, test.

    Attributes:
        builder: Builder that parsed the source.
        storage: Where the files are.
        parts: Files of the rows, in order.
        rejected: Number of records of own data that could not be used.
    """

    builder: CorpusBuilder
    storage: Storage
    parts: list[Part]
    rejected: int = 0

    @property
    def has_dialogues(self) -> bool:
        """Whether the rows are dialogues; else they are labelled utterances."""
        return self.builder.INFO.kind == "dialogues"

    def __len__(self) -> int:
        return sum(part.rows for part in self.parts)


def parse(builder: CorpusBuilder, executor: Executor | None = None, storage: Storage | None = None) -> ParsedSource:
    """Parse a source, or find its rows in the cache.

    Args:
        builder: Builder of the source.
        executor: Where the tasks run; None for this process.
        storage: Where to write the rows, for the same input and code only; None for the cache.

    Raises:
        DataError: A raw file is broken.
    """
    storage = storage or Storage(f"{builder.cache_dir}-rows")
    groups = list(_groups(builder))
    with _beside_rows(builder, storage) as claim:
        stages = Stages(storage, executor or LocalExecutor())
        work = partial(_parse_files, builder, storage, groups)
        groups_of_parts = stages.run("parts", work, len(groups), label=partial(_file_names, groups))
        claim.collect()
    close_archives()
    release_unused()
    builder.check_rows()
    parts = [Part(*part) for group in groups_of_parts for part in group]
    if not parts:
        files = [str(file) for names in builder.split_files.values() for file in names]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise DataError(f"{files[0]}{more}: no record of {builder.INFO.name} in it; fetch the files again")
    return ParsedSource(builder, storage, parts, builder.rejected_count())


def _file_names(groups: Sequence[tuple[str, list[tuple[RawFile, str]]]], number: int) -> str:
    """The files of a task, for messages."""
    files = [str(file) for file, _ in groups[number][1]]
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"


class _Beside:
    """Folder of what a builder keeps beside its rows, such as the rejected records of own data."""

    def __init__(self, builder: CorpusBuilder, storage: Storage) -> None:
        self._builder, self._storage = builder, storage

    def collect(self) -> None:
        """Fetch what tasks on other machines have kept."""
        if self._storage.is_local:
            return
        folder = Path(self._builder.cache_dir, "beside")
        folder.mkdir(parents=True, exist_ok=True)
        for name in self._storage.names("beside"):
            shutil.copyfile(self._storage.fetch(name), folder / Path(name).name)
        self._builder.rows_folder = folder


@contextmanager
def _beside_rows(builder: CorpusBuilder, storage: Storage) -> Iterator[_Beside]:
    """Claim the rows of a source, so that no other process writes them at the same time."""
    if not storage.is_local:
        yield _Beside(builder, storage)
        return
    builder.rows_folder = folder = Path(storage.root)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "lock", lambda holder: DataError(f"{folder}: {holder} is writing it"), wait=True):
        yield _Beside(builder, storage)


def _groups(builder: CorpusBuilder) -> Iterator[tuple[str, list[tuple[RawFile, str]]]]:
    """The raw files that a task parses, with their split in the dataset: successive ones of limited size.

    They do not depend on the number of processes, so neither do the parts.
    """
    by_split: dict[str, list[tuple[RawFile, str]]] = {}
    for original, files in builder.split_files.items():
        by_split.setdefault(builder.split_name(original), []).extend((file, original) for file in files)
    for split in SPLITS:
        group, size = [], 0
        for file, original in by_split.get(split, []):
            group.append((file, original))
            size += file.path.stat().st_size if not file.members else 0
            if size >= _GROUP_BYTES:
                yield split, group
                group, size = [], 0
        if group:
            yield split, group


def _parse_files(
    builder: CorpusBuilder, storage: Storage, groups: list[tuple[str, list[tuple[RawFile, str]]]], number: int
) -> list[tuple[str, int, int]]:
    """Write the rows of a group of files; returns the fields of its `Part` objects."""
    split, files = groups[number]
    try:
        return _write_parts(builder, storage, number, split, (table for _, table in builder._generate_tables(files)))
    except DataError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:  # the raw files are fine
            raise
        raise _failed(builder, error) from error
    except Exception as error:
        raise _failed(builder, error) from error


def _failed(builder: CorpusBuilder, cause: Exception) -> DataError:
    return DataError(f"{builder.raw_dir}: {builder.INFO.name} could not be parsed: {cause}")


def _turn_count(table: pa.Table) -> int:
    return (pc.sum(pc.list_value_length(table["turns"])).as_py() or 0) if "turns" in table.column_names else len(table)


def _write_parts(
    builder: CorpusBuilder, storage: Storage, number: int, split: str, tables: Iterator[pa.Table]
) -> list[tuple[str, int, int]]:
    """Write tables as parts, a batch for each table, which is in memory alone; returns the fields of the parts."""
    parts: list[tuple[str, int, int]] = []
    while (table := next(tables, None)) is not None:
        name, rows, turns, splits = f"{number:05d}-{len(parts):05d}.arrow", 0, 0, list[pa.Table]()
        with storage.create(name) as path, pa.OSFile(str(path), "wb") as file:  # noqa: SIM117
            with pa.ipc.new_file(file, table.schema) as writer:
                while table is not None:
                    writer.write_table(table)
                    splits.append(_splits_table(builder, split, table["original_split"]))
                    rows, turns = rows + len(table), turns + _turn_count(table)
                    is_full = turns >= SHARD_TURNS or rows >= SHARD_ROWS
                    table = None if is_full else next(tables, None)
        part = Part(name, rows, turns)
        save(storage, part.splits, pa.concat_tables(splits).combine_chunks())
        parts.append((name, rows, turns))
    return parts


def _splits_table(builder: CorpusBuilder, split: str, names: pa.ChunkedArray) -> pa.Table:
    """The splits of some rows, and whether the source has none for them; see `read_splits`."""
    official = _splits_of_rows(builder, names) if builder.SPLITS_BY_ROW else None
    splits = np.full(len(names), SPLITS.index(split), np.int8) if official is None else official
    return pa.table({"split": pa.array(splits), "without": pa.array(np.asarray(pc.equal(names, ALL)))})


def _splits_of_rows(builder: CorpusBuilder, names: pa.ChunkedArray) -> np.ndarray:
    """Split of each row by the name that the row has for it, as an index in `SPLITS`; int8 of shape (n,)."""
    codes = names.combine_chunks().dictionary_encode()
    splits = [SPLITS.index(builder.split_name(name)) for name in codes.dictionary.to_pylist()]
    return np.array(splits, np.int8)[codes.indices.to_numpy()]


def read_rows(storage: Storage, part: Part, maps: list[mmap.mmap]) -> pa.Table:
    """The rows of a part, memory-mapped.

    Args:
        storage: Where the part is.
        part: The part.
        maps: List to which the memory map is added.
    """
    return mapped(storage.fetch(part.name), maps)


def read_splits(storage: Storage, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """The splits of the n rows of a part.

    Returns:
        Split that the builder put each row in, as an index in `SPLITS`, int8 of shape (n,); and whether the source has
        no official split for it, bool of shape (n,).
    """
    table = load(storage, part.splits)
    return array(table, "split"), np.asarray(table["without"])


def official_splits(split: np.ndarray, without: np.ndarray, lengths: np.ndarray, repeated: np.ndarray) -> np.ndarray:
    """Official splits of n rows: `NO_SPLIT` without one, `DROPPED` for repeated records and empty dialogues.

    Args:
        split: Split that the builder put each row in, int8 of shape (n,).
        without: Whether the source has no official split for the row, bool of shape (n,).
        lengths: Number of the row's utterances, shape (n,).
        repeated: Whether an earlier row is the same record, bool of shape (n,).

    Returns:
        int8 of shape (n,).
    """
    official = np.where(without, NO_SPLIT, split)
    return np.where(repeated | (lengths == 0), DROPPED, official).astype(np.int8)


def in_turns(chunks: Iterable[pa.Array]) -> Iterator[pa.ChunkedArray]:
    """Join chunks of texts up to about `TURNS_AT_ONCE`, and cut larger ones: each step has a fixed cost."""
    group, size = [], 0
    for texts in (each.slice(start, TURNS_AT_ONCE) for each in chunks for start in range(0, len(each), TURNS_AT_ONCE)):
        group.append(texts)
        size += len(texts)
        if size >= TURNS_AT_ONCE:
            yield pa.chunked_array(group, pa.string())
            group, size = [], 0
    if size:
        yield pa.chunked_array(group, pa.string())
