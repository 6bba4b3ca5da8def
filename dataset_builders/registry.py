"""Which sources there are: every module of `pretrain/` and `downstream/` that defines a builder with an `INFO`."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil

from dataset_builders.errors import DataError
from dataset_builders.source import CorpusBuilder


@functools.cache
def builders() -> dict[str, type[CorpusBuilder]]:
    """Builder class by source name: dialogue sources first, each kind in alphabetical order."""
    found: dict[str, type[CorpusBuilder]] = {}
    for folder in ("dataset_builders.pretrain", "dataset_builders.downstream"):
        package = importlib.import_module(folder)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            for _, member in inspect.getmembers(importlib.import_module(f"{folder}.{module.name}"), inspect.isclass):
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
