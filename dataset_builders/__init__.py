"""Raw dialogue corpora -> typed rows: dialogues, pairs and intents.

The public names are imported on first use, so that importing the package is fast. It never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.sample import write_sample
    from dataset_builders.sources.registry import builders, get_builder

from dataset_builders.common.errors import DataError

__all__ = ["DataError", "build_dataset", "builders", "get_builder", "write_sample"]

_MODULES = {
    "build_dataset": "corpus.build",
    "builders": "sources.registry",
    "get_builder": "sources.registry",
    "write_sample": "sample",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
