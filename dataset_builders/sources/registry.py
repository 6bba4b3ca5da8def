"""Registry of sources: every module of `pretrain/` and `downstream/` that defines a builder with an `INFO`."""

from __future__ import annotations

import difflib
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
    """Names of the modules of all sources by source name (the last part), in the order of `builders`.

    The modules are not imported, which would take longer than many commands. The module of a source with a name that
    begins with a digit has an underscore before it.
    """
    here = Path(__file__).parents[1]
    return {
        module.name.removeprefix("_"): f"dataset_builders.{folder}.{module.name}"
        for folder in _FOLDERS
        for module in sorted(pkgutil.iter_modules([str(here / folder)]), key=lambda m: m.name)
    }


@functools.cache
def builders() -> dict[str, type[CorpusBuilder]]:
    """Builder classes of all sources by name: dialogue sources first, each kind in alphabetical order.

    Example:
        >>> [name for name, builder in builders().items() if "nap" in builder.INFO.languages]
        ['xsid']
    """
    from dataset_builders.sources.source import CorpusBuilder

    classes: dict[str, type[CorpusBuilder]] = {}
    for module in source_modules().values():
        for _, member in inspect.getmembers(importlib.import_module(module), inspect.isclass):
            if issubclass(member, CorpusBuilder) and "INFO" in member.__dict__:
                classes[member.INFO.name] = member
    return classes


def get_builder(name: str) -> type[CorpusBuilder]:
    """Return the builder class of a source.

    Raises:
        DataError: The name is unknown.

    Example:
        >>> get_builder("sgd").INFO.license
        'CC-BY-SA-4.0'
    """
    try:
        return builders()[name]
    except KeyError:
        raise _unknown(name) from None


def select_sources(names: Sequence[str], raw_dir: Path | None) -> list[tuple[str, str | None]]:
    """Resolve the names of sources, or list all sources with a folder in `raw_dir`.

    Args:
        names: Sources as `NAME` or `NAME:CONFIG`; empty for all in `raw_dir`.
        raw_dir: Folder with a subfolder of raw files for each source; None if the files are downloaded.

    Returns:
        Name and config of each source in the order of the registry, with None for the default config.

    Raises:
        DataError: A name is unknown or repeated, or there is no source.
    """
    modules = source_modules()
    if raw_dir is None and not names:
        raise DataError("name the sources to download, or give --raw-dir; `dialogue-cube sources` lists them")
    if raw_dir is not None and not raw_dir.is_dir():
        raise DataError(f"no raw folder {raw_dir}; `dialogue-cube download` or `dialogue-cube sample` makes one")
    if raw_dir is not None and not names:
        present = [name for name in modules if (raw_dir / name).is_dir()]
        if not present:
            raise DataError(
                f"{raw_dir}: no folder of a source in it; expected a folder with the name of a source, such as "
                f"{next(iter(modules))} (`dialogue-cube sources` lists all)"
            )
        return [(name, None) for name in present]
    selection: dict[str, str | None] = {}
    for text in names:
        name, _, config = text.partition(":")
        if name not in modules:
            raise _unknown(name)
        if name in selection:
            raise DataError(f"source {name} is named twice; its configs contain the same dialogues, choose one")
        selection[name] = config or None
    return [(name, selection[name]) for name in modules if name in selection]


def _unknown(name: str) -> DataError:
    near = difflib.get_close_matches(name, source_modules(), 3)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return DataError(f"no source {name!r}; {meant}`dialogue-cube sources` lists all {len(source_modules())}")
