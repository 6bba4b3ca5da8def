"""Which sources there are: every module of `pretrain/` and `downstream/` that defines a builder with an `INFO`."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders.common.errors import DataError

if TYPE_CHECKING:
    from dataset_builders.sources.source import CorpusBuilder

_FOLDERS = ("pretrain", "downstream")


@functools.cache
def source_modules() -> dict[str, str]:
    """`FOLDER/MODULE.py` of every source by its name, which is the module's, in the order of `builders`.

    Nothing is imported: that takes longer than many a command.
    """
    here = Path(__file__).parents[1]
    return {
        module.name: f"{folder}/{module.name}.py"
        for folder in _FOLDERS
        for module in sorted(pkgutil.iter_modules([str(here / folder)]), key=lambda m: m.name)
    }


@functools.cache
def builders() -> dict[str, type[CorpusBuilder]]:
    """Builder class by source name: dialogue sources first, each kind in alphabetical order."""
    from dataset_builders.sources.source import CorpusBuilder

    found: dict[str, type[CorpusBuilder]] = {}
    for path in source_modules().values():
        module = importlib.import_module(f"dataset_builders.{path.removesuffix('.py').replace('/', '.')}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, CorpusBuilder) and "INFO" in member.__dict__:
                found[member.INFO.name] = member
    return found


def get_builder(name: str) -> type[CorpusBuilder]:
    """The builder class of a source.

    Raises:
        DataError: There is no such source.
    """
    try:
        return builders()[name]
    except KeyError:
        raise _unknown(name) from None


def select_sources(names: Sequence[str], raw_dir: Path | None) -> list[tuple[str, str | None]]:
    """The named sources, or all that a raw folder holds, in registry order.

    Args:
        names: `NAME` or `NAME:CONFIG`; all when empty.
        raw_dir: Folder with one folder of raw files a source; None when the named ones are downloaded.

    Returns:
        Names with their config, None for the default one.

    Raises:
        DataError: Unknown or repeated name, or nothing is there.
    """
    known = source_modules()
    if raw_dir is None and not names:
        raise DataError("name the sources to download, or give --raw-dir; `dialogue-cube sources` lists them")
    if raw_dir is not None and not raw_dir.is_dir():
        raise DataError(f"no raw folder {raw_dir}; `dialogue-cube download` or `dialogue-cube sample` makes one")
    if raw_dir is not None and not names:
        present = [name for name in known if (raw_dir / name).is_dir()]
        if not present:
            raise DataError(f"{raw_dir}: no folder of a known source in it; expected one of {', '.join(known)}")
        return [(name, None) for name in present]
    wanted: dict[str, str | None] = {}
    for text in names:
        name, _, config = text.partition(":")
        if name not in known:
            raise _unknown(name)
        if name in wanted:
            raise DataError(f"source {name} is named twice; its configs hold the same dialogues, choose one")
        wanted[name] = config or None
    return [(name, wanted[name]) for name in known if name in wanted]


def _unknown(name: str) -> DataError:
    return DataError(f"no source {name!r}; there are: {', '.join(source_modules())}")
