"""The dataset as a DuckDB or SQLite file with tables, keys, aggregates and metrics, and SQL queries on it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_builders.database.asking import ask as ask
    from dataset_builders.database.asking import open_any as open_any
    from dataset_builders.database.build import DatabaseBuild as DatabaseBuild
    from dataset_builders.database.build import build_database as build_database
    from dataset_builders.database.opening import is_current as is_current
    from dataset_builders.database.opening import open_database as open_database
    from dataset_builders.database.sqlite import export_sqlite as export_sqlite

_MODULES = {
    "DatabaseBuild": "build",
    "ask": "asking",
    "build_database": "build",
    "export_sqlite": "sqlite",
    "is_current": "opening",
    "open_any": "asking",
    "open_database": "opening",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    # lazy, so that the command line does not load pyarrow and datasets to print its help
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
