"""Row groups of the parquet files of a split, read one at a time from a folder or the Hub.

`datasets` streams rows, too, but takes a time proportional to the number of row groups to read one of them: .4 s with
20,000 of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cube_model.data.hub import MissingColumnsError, as_model_error, data_files
from cube_model.errors import ModelError
from dataset_builders.common.integrity import rebuild_advice

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


class RowGroups:
    """The parquet files of a split, of a Hub repository at one commit.

    Args:
        data: Folder or Hub repository.
        config: `pairs`, `downstream` or `dialogues`.
        split: `train`, `validation` or `test`.
        columns: Names of the columns to read.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        MissingColumnsError: The config lacks a column.
        ModelError: The dataset, config or split does not exist, or its files are not parquet.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        config: str,
        split: str,
        columns: Sequence[str],
        *,
        revision: str | None = None,
    ) -> None:
        splits = data_files(data, config, revision=revision)
        if split not in splits:
            raise ModelError(f"{data}: the {config} config has no {split} split, only {', '.join(splits)}")
        self._files, self._columns = splits[split], list(columns)
        if other := [path for path in self._files if not path.endswith(".parquet")]:
            raise ModelError(
                f"{data}: {other[0]} of the {config} config is not a parquet file; pass a folder made by "
                "`dialogue-cube build` or a Hub dataset with parquet files, or leave out streaming"
            )
        with self._opened(0) as file:
            missing = [name for name in self._columns if name not in file.schema_arrow.names]
        if missing:
            message = f"{data}: the {config} config lacks {', '.join(missing)}; {rebuild_advice(data)}"
            raise MissingColumnsError(message, missing)

    def __len__(self) -> int:
        """Number of files."""
        return len(self._files)

    def all(self) -> Iterator[tuple[tuple[int, int], pa.Table]]:
        """Read all row groups.

        Yields:
            Place and rows of a row group.

        Raises:
            ModelError: A file cannot be read.
        """
        for number in range(len(self._files)):
            with self._opened(number) as file:
                for group in range(file.num_row_groups):
                    yield (number, group), file.read_row_group(group, self._columns)

    def read(self, place: tuple[int, int]) -> pa.Table:
        """Read the row group at a place that `all` has returned.

        Raises:
            ModelError: The file cannot be read.
        """
        number, group = place
        with self._opened(number) as file:
            return file.read_row_group(group, self._columns)

    @contextmanager
    def _opened(self, number: int) -> Iterator[pq.ParquetFile]:
        import fsspec
        import pyarrow.parquet as pq

        path = self._files[number]
        with as_model_error(path, "the rows"), fsspec.open(path, "rb") as opened:
            yield pq.ParquetFile(opened, pre_buffer=True)
