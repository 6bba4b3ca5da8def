"""Values of records: dotted paths into nested data, other columns as metadata, labels out of scope."""

from __future__ import annotations

import json
from typing import Any

import orjson

from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain.names import plain

_OUT_OF_SCOPE = {"oos", "out_of_scope", "ood", "out_of_domain", "вне_области"}


def at_path(value: Any, path: str) -> Any:
    """The value at a key, or at a dotted path of keys and list numbers; None if there is none.

    >>> at_path({"author": {"names": ["Ann"]}}, "author.names.0")
    'Ann'
    """
    if isinstance(value, dict) and path in value:
        return value[path]
    for key in path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def lifted(record: Any, options: Options) -> Any:
    """The record with the values at the dotted paths that the user named, under these names."""
    if not isinstance(record, dict):
        return record
    paths = [path for path in options.columns.values() if "." in path and path not in record]
    if options.turns_path:
        paths = [path for path in paths if path in (options.turns_path, options.dialogue_column, options.split_column)]
    values = {path: value for path in paths if (value := at_path(record, path)) is not None}
    turns = options.turns_path
    if turns is not None and turns in values:  # not once more among the other columns
        record = _without(record, turns.split("."))
    return {**record, **values} if values else record


def _without(value: Any, keys: list[str]) -> Any:
    """A copy of nested objects without the value at a path of keys."""
    if not isinstance(value, dict) or keys[0] not in value:
        return value
    rest = {key: each for key, each in value.items() if key != keys[0]}
    inner = _without(value[keys[0]], keys[1:]) if len(keys) > 1 else None
    return {**rest, keys[0]: inner} if inner else rest


def metadata_of(values: dict[str, Any]) -> str | None:
    """Other columns as a JSON object; None if all are empty."""
    values = {key: value for key, value in values.items() if value not in (None, "", [], {})}
    if not values:
        return None
    try:
        return orjson.dumps(values).decode()
    except TypeError:  # lone surrogates and very large integers
        return json.dumps(values)


def is_out_of_scope(label: str) -> bool:
    """Whether a label says that the utterance belongs to none of the intents."""
    return plain(label) in _OUT_OF_SCOPE
