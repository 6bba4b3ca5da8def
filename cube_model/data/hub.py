"""Rows of one split of a dataset, a folder that `dialogue-cube build` made or a Hub repository, as an Arrow table."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cube_model._quiet import quiet_datasets
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa


class MissingColumnsError(ModelError):
    """A config of the dataset lacks columns.

    Args:
        message: The message for the user.
        columns: Names of the missing columns.
    """

    def __init__(self, message: str, columns: Sequence[str]) -> None:
        super().__init__(message)
        self.columns = list(columns)


def split_names(data: str | os.PathLike[str], revision: str | None = None) -> list[str]:
    """The splits that the `pairs` config has.

    Raises:
        ModelError: There is no such dataset, or it has no `pairs` config.
    """
    from datasets import get_dataset_split_names

    with _told(data, "the pairs config"):
        return list(get_dataset_split_names(str(data), "pairs", revision=revision))


def read_rows(
    data: str | os.PathLike[str],
    config: str,
    split: str,
    columns: Sequence[str],
    *,
    revision: str | None = None,
    advice: str = "",
) -> pa.Table:
    """Columns of a split.

    Args:
        data: Folder or Hub repository.
        config: `pairs`, `downstream` or `dialogues`.
        split: `train`, `validation` or `test`.
        columns: Their names.
        revision: Branch, tag or commit of a Hub repository.
        advice: What the folder should have been built with, for the error.

    Raises:
        ModelError: No such dataset, config, split or column.
        OSError: No room for the cache of `datasets`.
    """
    from datasets import load_dataset

    with quiet_datasets(), _told(data, f"the split {split!r} of the {config} config", advice):
        dataset = load_dataset(str(data), config, split=split, revision=revision, cache_dir=_cache_of_folder(data))
    if missing := [name for name in columns if name not in dataset.column_names]:
        message = f"{data}: the {config} config lacks {', '.join(missing)}; build the dataset again"
        raise MissingColumnsError(message, missing)
    return dataset.select_columns(list(columns)).with_format("arrow")[:]


@contextmanager
def _told(data: str | os.PathLike[str], wanted: str, advice: str = "") -> Iterator[None]:
    """The dozen exceptions of `datasets` and the Hub for "not there" and "not readable" become one line."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:  # the dataset is not to blame
            raise cause from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{data}: cannot load {wanted}: {lines[0][:300]}; give a folder made by `dialogue-cube build`{advice} "
            "or a Hub dataset with that config"
        ) from error


def _cache_of_folder(data: str | os.PathLike[str]) -> str | None:
    """A cache folder for exactly these local files; None (the default cache) for a Hub repository.

    `datasets` keys its cache of a local folder by the folder's last name and its card alone: a folder built again, or
    another one of that name, would silently give the old rows. What it kept of a folder as it was before is removed.
    """
    from datasets import config

    folder = Path(data).expanduser()
    if not folder.is_dir():
        return None
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.parquet"))]
    cache = Path(config.HF_DATASETS_CACHE) / "dialogue-cube" / _key(str(folder.resolve())) / _key(repr(states))
    if not cache.exists() and cache.parent.is_dir():
        for before in cache.parent.iterdir():
            if before != cache:  # another process may have begun it in between
                shutil.rmtree(before, ignore_errors=True)
    return str(cache)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
