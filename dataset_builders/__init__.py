"""Raw dialogue corpora -> typed rows: dialogues, question -> answer pairs, and intents.

Importing this package is cheap and never imports torch; its parts are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.sample import write_sample
    from dataset_builders.sources.registry import builders, get_builder

from dataset_builders.common.errors import DataError

__all__ = ["DataError", "build_dataset", "builders", "get_builder", "write_sample"]

_WHERE = {
    "build_dataset": "build.build",
    "builders": "sources.registry",
    "get_builder": "sources.registry",
    "write_sample": "sample",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
