"""All formats, found in the files of this folder."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from dataset_builders.own_data import formats
from dataset_builders.own_data.formats.format import Format

_NO_FORMATS = ("format", "registry")


@functools.cache
def all_formats() -> tuple[Format, ...]:
    """All formats, sorted by name. The constant `FORMAT` of each module of this folder is one."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    modules = (importlib.import_module(f"{formats.__name__}.{n}") for n in names if n not in _NO_FORMATS)
    return tuple(sorted((module.FORMAT for module in modules if hasattr(module, "FORMAT")), key=lambda f: f.name))
