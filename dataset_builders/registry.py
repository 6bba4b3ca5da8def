"""Which sources there are: every module of `pretrain/` and `downstream/` that defines a builder with an `INFO`."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders.errors import DataError

if TYPE_CHECKING:
    from dataset_builders.source import CorpusBuilder

_FOLDERS = ("pretrain", "downstream")


@functools.cache
def source_modules() -> dict[str, str]:
    """`FOLDER/MODULE.py` of every source by its name, which is the module's, in the order of `builders`.

    Nothing is imported: that takes longer than many a command.
    """
    here = Path(__file__).parent
    return {
        module.name: f"{folder}/{module.name}.py"
        for folder in _FOLDERS
        for module in sorted(pkgutil.iter_modules([str(here / folder)]), key=lambda m: m.name)
    }


@functools.cache
def builders() -> dict[str, type[CorpusBuilder]]:
    """Builder class by source name: dialogue sources first, each kind in alphabetical order."""
    from dataset_builders.source import CorpusBuilder

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
        raise DataError(f"no source {name!r}; there are: {', '.join(builders())}") from None
