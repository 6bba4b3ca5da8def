"""Reader of datasets: folders made by `dialogue-cube build`, and Hub repositories."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError
from dataset_builders.common.integrity import REPORT, check_dataset, rebuild_advice
from dataset_builders.common.listing import walk
from dataset_builders.common.locations import A_DATASET, is_folder
from dataset_builders.common.patience import explain_fault, read_hub
from dataset_builders.common.reading import read_json

if TYPE_CHECKING:
    import pyarrow as pa


_COMPLETE = {"pairs": ("pairs-full", "pairs")}
"""Config -> names under which it may have all columns, the newest first: `pairs` was complete in version 0.1.0."""


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
    """List the splits of the `pairs` config.

    Args:
        data: Folder or Hub repository.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        ModelError: The dataset does not exist or has no `pairs` config.
    """
    from datasets import get_dataset_split_names

    is_folder(data, A_DATASET, error=ModelError)
    with as_model_error(data, "the pairs config"):
        call = _first("pairs", lambda name: get_dataset_split_names(str(data), name, revision=revision))
        return list(_read(data, call))


def data_files(data: str | os.PathLike[str], config: str, *, revision: str | None = None) -> dict[str, list[str]]:
    """List the files of a config.

    Args:
        data: Folder or Hub repository.
        config: `pairs`, `downstream` or `dialogues`.
        revision: Branch, tag or commit of a Hub repository.

    Returns:
        Paths of a folder's files, or addresses `hf://datasets/NAME@COMMIT/PATH`, by split.

    Raises:
        ModelError: The dataset or config does not exist.
    """
    is_folder(data, A_DATASET, error=ModelError)
    _check_files(data, config)
    from datasets import load_dataset_builder

    with _quiet_datasets(), as_model_error(data, f"the {config} config"):
        call = _first(config, lambda name: load_dataset_builder(str(data), name, revision=revision))
        builder = _read(data, call)
    return {str(split): [str(path) for path in paths] for split, paths in (builder.config.data_files or {}).items()}


def read_rows(
    data: str | os.PathLike[str],
    config: str,
    split: str,
    columns: Sequence[str],
    *,
    revision: str | None = None,
    advice: str = "",
) -> pa.Table:
    """Read columns of a split.

    Args:
        data: Folder or Hub repository.
        config: `pairs`, `downstream` or `dialogues`.
        split: `train`, `validation` or `test`.
        columns: Names of the columns.
        revision: Branch, tag or commit of a Hub repository.
        advice: Build options that the config requires, for the error message.

    Raises:
        MissingColumnsError: The config lacks a column.
        ModelError: The dataset, config or split does not exist or cannot be read.
        OSError: The disk has no room for the cache of `datasets`.
    """
    is_folder(data, A_DATASET, error=ModelError)
    _check_files(data, config)
    from datasets import load_dataset

    with _quiet_datasets(), as_model_error(data, f"the split {split!r} of the {config} config", advice):
        cache = _cache_of_folder(data)
        call = _first(
            config, lambda name: load_dataset(str(data), name, split=split, revision=revision, cache_dir=cache)
        )
        dataset = _read(data, call)
    if missing := [name for name in columns if name not in dataset.column_names]:
        message = f"{data}: the {config} config lacks {', '.join(missing)}; {rebuild_advice(data)}"
        raise MissingColumnsError(message, missing)
    return dataset.select_columns(list(columns)).with_format("arrow")[:]


def _check_files(data: str | os.PathLike[str], config: str) -> None:
    """Check the files of a config in a local folder against the report of the build, if there is one.

    Raises:
        ModelError: A file is damaged, missing or not of the build, or the report is damaged.
    """
    folder = Path(data).expanduser()
    if not (folder / REPORT).is_file():
        return
    report = read_json(folder / REPORT, rebuild_advice(folder), {"files": {"*": str}}, error=ModelError)
    check_dataset(folder, report.get("files") or {}, [config], error=ModelError)


def _read(data: str | os.PathLike[str], call: Callable[[], Any]) -> Any:
    """Read a folder at once, and a repository with patience."""
    return call() if Path(data).expanduser().is_dir() else read_hub(call)


def _first(config: str, load: Callable[[str], Any]) -> Callable[[], Any]:
    """A call that loads a config under the first of its names that the dataset, or the cache when offline, has.

    The name alone decides, without `columns=...`: offline, `datasets` finds only what was cached under a name.
    """
    *earlier, last = _COMPLETE.get(config, (config,))

    def call() -> Any:
        for name in earlier:
            with suppress(ValueError):  # no such config
                return load(name)
        return load(last)

    return call


@contextmanager
def as_model_error(data: str | os.PathLike[str], part: str, advice: str = "") -> Iterator[None]:
    """Raise a one-line `ModelError` for any of the dozen exceptions of `datasets` and the Hub for missing data.

    Args:
        data: Folder or Hub repository.
        part: Part of the dataset that is loaded, for the message.
        advice: Build options that this part requires, for the message.

    Raises:
        ModelError: Loading failed.
        OSError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:  # not a fault of the dataset
            raise cause from error
        if not Path(data).expanduser().exists() and (fault := explain_fault(error, str(data))):
            raise ModelError(f"cannot load {part} of {data}: {fault}") from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{data}: cannot load {part}: {lines[0][:300]}; give a folder made by `dialogue-cube build`{advice} "
            "or a Hub dataset with that config"
        ) from error


def _cache_of_folder(data: str | os.PathLike[str]) -> str | None:
    """The cache folder for the current files of a local folder; None (the default cache) for a Hub repository.

    `datasets` keys its cache of a local folder by the folder's name and its card alone, so it would silently return
    old rows for a rebuilt folder, or for another one of the same name. Caches of earlier states are removed.
    """
    from datasets import config

    folder = Path(data).expanduser()
    if not folder.is_dir():
        return None
    files = [path for path in walk(folder) if path.suffix == ".parquet"]
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    cache = Path(config.HF_DATASETS_CACHE) / "dialogue-cube" / _key(str(folder.resolve())) / _key(repr(states))
    if not cache.exists() and cache.parent.is_dir():
        for other in cache.parent.iterdir():
            if other != cache:  # another process may have created it since
                shutil.rmtree(other, ignore_errors=True)
    return str(cache)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@contextmanager
def _quiet_datasets() -> Iterator[None]:
    """Hide progress bars: reading pairs takes only seconds."""
    from datasets.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            logging.enable_progress_bar()
