"""Which entries have what a request asks for: `{"language": "en", "metadata.product": ["router", "modem"]}`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.assistant.entries import metadata_of
from cube_model.assistant.reply import Where
from cube_model.assistant.retrieval import View
from cube_model.data.selection import is_spoken
from cube_model.errors import ModelError

KEYS = ("language", "source", "license", "dialogue_id")
"""Columns of the entries that a request may name; `language` `en` includes `en-US`."""

_METADATA = "metadata."
_SHOWN = 10


def matching(view: View, where: Where | None, folder: Path) -> np.ndarray | None:
    """Find the entries that a request must not find.

    Args:
        view: n entries.
        where: What the entries must have.
        folder: Folder of the assistant, for messages.

    Returns:
        bool `[n]`, True for those that do not match; None without a condition.

    Raises:
        ModelError: A key or value is of another type, or no entry matches; the message lists what there is.
    """
    if not where:
        return None
    if not isinstance(where, Mapping):
        raise ModelError(f'where is a {type(where).__name__}: expected an object such as {{"language": "en"}}')
    wrong = ~view.alive
    for key, values in where.items():
        wanted = [values] if isinstance(values, str) else values
        if not isinstance(wanted, Sequence) or not all(isinstance(value, str) for value in wanted):
            raise ModelError(f"where[{key!r}]: expected a string or a list of strings")
        column = _column(view, str(key))
        if key == "language":
            fits = {value: is_spoken(str(value), list(wanted)) for value in set(column)}
        else:
            allowed = frozenset(wanted)
            fits = {value: value in allowed for value in set(column)}
        wrong = wrong | ~np.array([fits[value] for value in column], bool)
    if wrong.all():
        raise ModelError(f"{folder}: no answer with {_conditions(where)}; {_there(view, where)}")
    return wrong


def _column(view: View, key: str) -> list[str | None]:
    """The n values of a key as texts."""
    if key in KEYS:
        return list(view.table[key].to_pylist())
    if not key.startswith(_METADATA):
        raise ModelError(f"where has the key {key!r}: expected one of {', '.join(KEYS)}, or metadata.KEY")
    name = key.removeprefix(_METADATA)
    encoded = {text: _as_text(metadata_of(text).get(name)) for text in set(view.table["metadata"].to_pylist())}
    return [encoded[text] for text in view.table["metadata"].to_pylist()]


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _conditions(where: Where) -> str:
    words = {key: values if isinstance(values, str) else " or ".join(values) for key, values in where.items()}
    return " and ".join(f"{key}={value}" for key, value in words.items())


def _there(view: View, where: Where) -> str:
    parts = []
    for key in where:
        column = np.array(_column(view, key), dtype=object)[view.alive]
        values = sorted({str(value) for value in column if value is not None})
        more = ", ..." if len(values) > _SHOWN else ""
        parts.append(f"{key}: {', '.join(values[:_SHOWN]) or 'none'}{more}")
    return f"there is {'; '.join(parts)}"
