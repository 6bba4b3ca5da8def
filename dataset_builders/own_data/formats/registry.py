"""All formats, found in the files of this folder."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from dataset_builders.own_data import formats
from dataset_builders.own_data.formats.format import Format

_NO_FORMATS = ("format", "registry")


def format_modules() -> list[str]:
    """Names of the modules in this folder that may define a format, without importing them."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__) if not module.ispkg)
    return [f"{formats.__name__}.{name}" for name in names if name not in _NO_FORMATS]


@functools.cache
def all_formats() -> tuple[Format, ...]:
    """All formats, sorted by name. The constant `FORMAT` of each module of this folder is one."""
    modules = map(importlib.import_module, format_modules())
    return tuple(sorted((module.FORMAT for module in modules if hasattr(module, "FORMAT")), key=lambda f: f.name))
