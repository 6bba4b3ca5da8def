"""Typed settings from YAML: a mapping becomes a frozen dataclass, and what does not fit is named by file and key.

A setting is a field; its type and the bounds in its metadata are what is allowed. A field whose type is another such
class is a section; an optional section may also be `true` (with its defaults) or `false` (as if it were not there).
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from dataset_builders.common.errors import DataError

Settings = TypeVar("Settings")

_SIMPLE: dict[Any, str] = {bool: "true or false", str: "text", Path: "a path", dict: "a mapping"}


def bounded(default: Any, low: float | None = None, high: float | None = None) -> Any:
    """A field whose number must lie between `low` and `high`, both included."""
    return field(default=default, metadata={"low": low, "high": high})


def read_settings(path: Path, what: str = "keys with their settings") -> Mapping[str, Any]:
    """The mapping in a YAML or JSON file, `what` in messages.

    Raises:
        DataError: The file cannot be read or holds no mapping.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); expected a YAML or JSON file") from error
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not YAML or JSON: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected {what}, found {_found(content)}")
    return content


def fill(kind: type[Settings], given: Mapping[str, Any], where: str, key: str = "") -> Settings:
    """A settings object from plain values.

    Args:
        kind: The dataclass.
        given: Its values by field name; what is absent keeps its default.
        where: File or option that the values come from, for messages.
        key: Of the section, for messages.

    Raises:
        DataError: An unknown key, a value of the wrong type or out of bounds, or a required one is absent.
    """
    known = {f.name: f for f in fields(cast(Any, kind))}
    hints = get_type_hints(kind)
    values = {}
    for name, value in given.items():
        path = f"{key}.{name}" if key else str(name)
        if name not in known:
            raise DataError(f"{where}: {path}: no such key; {_expected(str(name), list(known), key)}")
        values[name] = _value(hints[name], value, known[name], where, path)
    for f in known.values():
        if f.name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise DataError(f"{where}: {key}: {f.name} is missing; expected {_allowed(hints[f.name], f)}")
    return kind(**values)


def plain(settings: Any) -> dict[str, Any]:
    """What differs from the defaults, as plain values that `fill` reads back to an equal object."""
    found: dict[str, Any] = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        if f.default is not MISSING and value == f.default:
            continue
        if is_dataclass(value):
            found[f.name] = plain(value) or True
        elif isinstance(value, tuple):
            found[f.name] = list(value)
        else:
            found[f.name] = str(value) if isinstance(value, Path) else value
    return found


def _value(hint: Any, value: Any, f: Field[Any], where: str, path: str) -> Any:
    choices = _choices(hint)
    section = next((choice for choice in choices if is_dataclass(choice)), None)
    if section is not None and type(None) in choices and isinstance(value, bool):
        value = {} if value else None
    for choice in choices:
        if choice is type(None):
            if value is None:
                return None
        elif is_dataclass(choice):
            if isinstance(value, dict):
                return fill(cast(type, choice), value, where, path)
        elif get_origin(choice) is tuple:
            items = value if isinstance(value, list | tuple) else [value]
            (item, _) = get_args(choice)
            if value is not None and all(_fits(item, one) for one in items):
                return tuple(items)
        elif _fits(choice, value) and _within(value, f):
            return Path(value).expanduser() if choice is Path else float(value) if choice is float else value
    raise DataError(f"{where}: {path}: expected {_allowed(hint, f)}, found {_found(value)}")


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _fits(kind: Any, value: Any) -> bool:
    if len(_choices(kind)) > 1:
        return any(_fits(choice, value) for choice in _choices(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind) and not isinstance(value, bool)
    if kind is int or kind is float:
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, (str, Path) if kind is Path else kind) and value != ""


def _within(value: Any, f: Field[Any]) -> bool:
    low, high = f.metadata.get("low"), f.metadata.get("high")
    return (low is None or value >= low) and (high is None or value <= high)


def _allowed(hint: Any, f: Field[Any]) -> str:
    optional = type(None) in _choices(hint)
    return " or ".join(_described(choice, f, optional) for choice in _choices(hint) if choice is not type(None))


def _described(kind: Any, f: Field[Any], optional: bool) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        (item, _) = get_args(kind)
        return "a list of " + ("texts" if item is str else " or ".join(_described(c, f, False) for c in _choices(item)))
    if is_dataclass(kind):
        names = ", ".join(f.name for f in fields(cast(Any, kind)))
        return f"true, false or a mapping of {names}" if optional else f"a mapping of {names}"
    if kind not in (int, float):
        return _SIMPLE[kind]
    low, high = f.metadata.get("low"), f.metadata.get("high")
    bounds = "" if low is None else f" of at least {low:g}" if high is None else f" from {low:g} to {high:g}"
    return ("a whole number" if kind is int else "a number") + bounds


def _expected(name: str, known: list[str], key: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}{'it has' if key else 'expected'} {', '.join(known)}"


def _found(value: Any) -> str:
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value)) or repr(value)
