"""A user's own data: pairs, dialogues and labelled utterances in the forms people have them in.

`load` streams records; `own_builders` gives the `datasets` builders through which `build` takes them like any corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_builders.own_data.builder import OwnBuilder, own_builders
    from dataset_builders.own_data.data import OwnData, load
    from dataset_builders.own_data.rejects import Rejected, Tally, write_rejects

__all__ = ["OwnBuilder", "OwnData", "Rejected", "Tally", "load", "own_builders", "write_rejects"]

_WHERE = {
    "OwnBuilder": "builder",
    "own_builders": "builder",
    "OwnData": "data",
    "load": "data",
    "Rejected": "rejects",
    "Tally": "rejects",
    "write_rejects": "rejects",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
