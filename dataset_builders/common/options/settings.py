"""Options as plain values of a YAML or JSON file, and sections of a config that are options of a command."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import Field, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from dataset_builders.common.errors import DataError
from dataset_builders.common.options.declaration import (
    alternatives,
    default_of,
    field_types,
    is_required,
    option_of,
    type_hints,
)
from dataset_builders.common.options.values import allowed_values, convert, kind_or_value, mismatch
from dataset_builders.common.reading import regular

Settings = TypeVar("Settings")


def read_settings(path: Path, what: str = "keys with their settings") -> Mapping[str, Any]:
    """Read the mapping in a YAML or JSON file.

    Args:
        path: The file.
        what: Content of the mapping, for messages.

    Raises:
        DataError: The file cannot be read or holds no mapping.
    """
    import yaml

    try:
        text = regular(path).read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); expected a YAML or JSON file") from error
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: not YAML or JSON: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deeply; expected {what}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected {what}, found {kind_or_value(content)}")
    return content


def from_values(kind: type[Settings], values: Mapping[str, Any], where: str, section: str = "") -> Settings:
    """Make an options object from plain values.

    A field whose type is another options class is a section. An optional section may also be `true` (with its defaults)
    or `false` (None).

    Args:
        kind: The dataclass.
        values: Values by field name; fields without a value keep their default.
        where: File or command-line option of the values, for messages.
        section: Path of the section, for messages.

    Raises:
        DataError: A key is unknown, a value has the wrong type or is out of range, or a required value is missing.
    """
    declared = {f.name: f for f in fields(cast(Any, kind))}
    hints = field_types(kind)
    converted = {}
    aliases = {alias[2:].replace("-", "_"): f.name for f in declared.values() for alias in option_of(f).aliases}
    for key, value in values.items():
        name = aliases.get(key, key)
        path = f"{section}.{name}" if section else str(name)
        if name not in declared:
            raise DataError(f"{where}: {path}: no such key; {_suggestion(str(name), list(declared), section)}")
        converted[name] = _from_value(hints[name], value, declared[name], where, path)
    for f in declared.values():
        if f.name not in converted and is_required(f):
            path = f"{section}: " if section else ""
            allowed = allowed_values(hints[f.name], option_of(f))
            raise DataError(f"{where}: {path}{f.name} is missing; expected {allowed}")
    return kind(**converted)


def to_values(settings: Any) -> dict[str, Any]:
    """The values that differ from the defaults, as plain values; `from_values` makes an equal object from them."""
    values: dict[str, Any] = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        if not is_required(f) and value == default_of(f):
            continue
        if is_dataclass(value):
            values[f.name] = to_values(value) or True
        elif isinstance(value, tuple):
            values[f.name] = list(value)
        else:
            values[f.name] = str(value) if isinstance(value, Path) else value
    return values


def section_of(kind: type, leave_out: Sequence[str] = (), more: type | None = None) -> type:
    """The options of a command as a section of a config, where None means the command's own default.

    Args:
        kind: Options of the command.
        leave_out: Fields that the caller of the command sets.
        more: More options of the section, with defaults; they come first.
    """
    hints = type_hints(kind)
    options = [
        (f.name, hints[f.name] | None, field(default=None, metadata={**f.metadata, "default": f.default}))
        for f in fields(kind)
        if f.name not in leave_out
    ]
    return make_dataclass(kind.__name__, options, bases=(more or object,), frozen=True)


def effective(settings: Any, name: str) -> Any:
    """The value of an option in a section from `section_of`; None is replaced by the command's default."""
    value = getattr(settings, name)
    return type(settings).__dataclass_fields__[name].metadata["default"] if value is None else value


def _from_value(hint: Any, value: Any, f: Field[Any], where: str, path: str) -> Any:
    section = next((kind for kind in alternatives(hint) if is_dataclass(kind)), None)
    if section is not None:
        if type(None) in alternatives(hint) and (value is None or value is False):
            return None
        if isinstance(value, dict) or (value is True and type(None) in alternatives(hint)):
            return from_values(cast(type, section), {} if value is True else value, where, path)
    else:
        with suppress(ValueError):
            return convert(hint, value, option_of(f))
    raise DataError(f"{where}: {mismatch(path, hint, f, value)}")


def _suggestion(name: str, names: list[str], section: str) -> str:
    similar = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {similar[0]}? " if similar else ""
    return f"{hint}{'it has' if section else 'expected'} {', '.join(names)}"
