"""Check and convert the value of an option, and describe which values are allowed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from dataset_builders.common.options.declaration import Option, alternatives, is_choice, option_of

_SIMPLE: dict[Any, str] = {bool: "true or false", str: "text", Path: "a path", dict: "a mapping"}
_MAX_LIST = 60
"""Maximum length of a list in a message, in characters."""


def convert(hint: Any, value: Any, limits: Option) -> Any:
    """Convert a value to a type. A value that could be a mistake is rejected: "3" is no number.

    Args:
        hint: The type.
        value: The value.
        limits: Declaration with the range of numbers.

    Raises:
        ValueError: The value has another type or is out of range.
    """
    for kind in alternatives(hint):
        with suppress(ValueError):
            return _as(kind, value, limits)
    raise ValueError


def _as(kind: Any, value: Any, limits: Option) -> Any:
    origin = get_origin(kind)
    if origin in (list, tuple):
        items = value if isinstance(value, list | tuple) else [value]
        return origin(convert(get_args(kind)[0], item, limits) for item in items)
    if origin is Literal:
        fits = value in get_args(kind) and not isinstance(value, bool)
    elif kind in (int, float):
        fits = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
        fits = fits and limits.allows(value)
    elif kind in (str, Path):
        fits = isinstance(value, (str, os.PathLike)) and value != ""
    else:
        fits = kind is Any or isinstance(value, origin or kind)
    if not fits:
        raise ValueError
    if kind is Path:
        return Path(value).expanduser()
    return float(value) if kind is float else os.fspath(value) if kind is str else value


def mismatch(path: str, hint: Any, f: Field[Any], value: Any) -> str:
    """The message about a value that does not fit its option."""
    return f"{path}: expected {allowed_values(hint, option_of(f))}, found {kind_or_value(value)}"


def allowed_values(hint: Any, limits: Option) -> str:
    """The allowed values of a type as text."""
    kinds = alternatives(hint)
    optional = type(None) in kinds
    return " or ".join(_description(kind, limits, optional) for kind in kinds if kind is not type(None))


def _description(kind: Any, limits: Option, optional: bool) -> str:
    if is_choice(kind):
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) in (list, tuple):
        item = get_args(kind)[0]
        if is_choice(item):
            return f"some of {', '.join(map(str, get_args(item)))}"
        one = "texts" if item is str else allowed_values(item, limits)
        return f"{one} or a list of them" if limits.repeatable and item is not str else f"a list of {one}"
    if is_dataclass(kind):
        names = ", ".join(f.name for f in fields(kind))
        return f"true, false or a mapping of {names}" if optional else f"a mapping of {names}"
    if kind not in (int, float):
        return _SIMPLE[kind]
    return ("a whole number" if kind is int else "a number") + limits.range()


def kind_or_value(value: Any) -> str:
    """A value as text for a message, or only its kind if it is long."""
    if isinstance(value, list | tuple) and len(repr(value)) <= _MAX_LIST:
        return repr(list(value))
    return {dict: "a mapping", list: "a list", tuple: "a list", type(None): "nothing"}.get(type(value)) or repr(value)
