"""A user's own data: question/answer pairs, dialogues and labelled utterances in common file formats.

`load` reads the records; `own_builders` wraps them in `datasets` builders, so that `build` treats them like any source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_builders.own_data.builder import OwnBuilder, own_builders
    from dataset_builders.own_data.data import OwnData, load
    from dataset_builders.own_data.rejects import Rejected, Tally, write_rejects

__all__ = ["OwnBuilder", "OwnData", "Rejected", "Tally", "load", "own_builders", "write_rejects"]

_MODULES = {
    "OwnBuilder": "builder",
    "own_builders": "builder",
    "OwnData": "data",
    "load": "data",
    "Rejected": "rejects",
    "Tally": "rejects",
    "write_rejects": "rejects",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
