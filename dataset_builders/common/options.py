"""Each option once: a field of a dataclass, with its type, default, range and one sentence of help.

The same declaration checks what Python passes, fills in a section of a YAML file, and is the reference text; with
`command_options.takes_options` it is also the option of a command.

>>> @dataclass
... class Tea(Options):
...     '''How to make tea.'''
...
...     minutes: int = option(3, "Minutes that the tea draws.", low=1)
...     sort: Literal["green", "black"] = option("black", "Sort of tea.")
>>> Tea(minutes=0)
Traceback (most recent call last):
dataset_builders.common.errors.DataError: minutes: expected a whole number of at least 1, found 0
>>> from_values(Tea, {"sort": "green"}, "tea.yaml")
Tea(minutes=3, sort='green')
>>> print(Tea.__doc__)
How to make tea.
<BLANKLINE>
Args:
    minutes: Minutes that the tea draws. At least 1.
    sort: Sort of tea. One of green, black.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import json
import os
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from dataset_builders.common.errors import DataError, DialogueCubeError

Settings = TypeVar("Settings")

_SIMPLE: dict[Any, str] = {bool: "true or false", str: "text", Path: "a path", dict: "a mapping"}
_WIDTH, _SHORT = 116, 60
_COMMENT_AT = 38


@dataclass(frozen=True)
class Option:
    """What the declaration of an option holds besides its name, type and default.

    Args:
        help: One sentence.
        none: What holds when the value is None.
        low, high: Lowest and highest number, both allowed.
        above, below: Limits that are not allowed themselves.
        in_result: Whether the result depends on the option.
        flags: Names on the command line as typer takes them, where they do not follow from the field's name.
        aliases: Further names, as on the command line, which neither its help nor the reference shows.
        panel: Panel of the command's help.
        section: Returns the dataclass of a section that another package declares.
        example: Value in an example file, where the default would show nothing.
    """

    help: str = ""
    none: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    in_result: bool = True
    flags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    panel: str | None = None
    section: Callable[[], type] | None = None
    example: Any = None

    def allows(self, number: float) -> bool:
        """Whether a number is in the range."""
        return (
            (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def range(self) -> str:
        """The range in words, empty where every number is allowed."""
        if self.low is not None and self.high is not None:
            return f" from {self.low:g} to {self.high:g}"
        limits = {"of at least": self.low, "above": self.above, "of at most": self.high, "below": self.below}
        words = [f"{words} {limit:g}" for words, limit in limits.items() if limit is not None]
        return f" {' and '.join(words)}" if words else ""


def option(default: Any = MISSING, help: str = "", **more: Any) -> Any:
    """A field of an `Options` class.

    Args:
        default: The default; a function without arguments makes it; without one the option is required.
        help: One sentence.
        more: See `Option`.
    """
    metadata = {"option": Option(help, **more)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def option_of(f: Field[Any]) -> Option:
    """What a field declares."""
    return f.metadata.get("option", Option())


class Options:
    """Base of dataclasses whose fields are made by `option`: they check themselves and are documented.

    A subclass names the error that it raises: `class TrainingConfig(Options, error=ModelError)`.
    """

    error: ClassVar[type[DialogueCubeError]] = DataError

    def __init_subclass__(cls, error: type[DialogueCubeError] | None = None, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if error is not None:
            cls.error = error
        cls.__doc__ = _documented(cls)

    def __post_init__(self) -> None:
        hints = type_hints(type(self))
        for f in fields(cast(Any, self)):
            value = getattr(self, f.name)
            try:
                object.__setattr__(self, f.name, convert(hints[f.name], value, option_of(f)))
            except ValueError:
                raise self.error(_misfit(f.name, hints[f.name], f, value)) from None

    def result_options(self) -> dict[str, Any]:
        """The options that the result depends on, as plain values."""
        values = asdict(cast(Any, self))
        return {f.name: values[f.name] for f in fields(cast(Any, self)) if option_of(f).in_result}


@functools.cache
def _evaluated(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def type_hints(kind: type) -> dict[str, Any]:
    """The types of the fields, evaluated once: that takes milliseconds for forty of them."""
    return _evaluated(kind)


# -- Values


def convert(hint: Any, value: Any, limits: Option) -> Any:
    """A value as an instance of a type; nothing that could be a mistake is converted: "3" is no number.

    Raises:
        ValueError: The value is none, or out of range.
    """
    for kind in alternatives(hint):
        with suppress(ValueError):
            return _as(kind, value, limits)
    raise ValueError


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types in a union: `int | None` -> `int`, `NoneType`."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def is_choice(kind: Any) -> bool:
    """Whether a type is a list of allowed values."""
    return get_origin(kind) is Literal


def item_type(hint: Any) -> Any:
    """The type of the items of a list or tuple, None for other types."""
    return next((get_args(kind)[0] for kind in alternatives(hint) if get_origin(kind) in (list, tuple)), None)


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


def _misfit(path: str, hint: Any, f: Field[Any], value: Any) -> str:
    return f"{path}: expected {_allowed(hint, option_of(f))}, found {_kind_or_value(value)}"


def _allowed(hint: Any, limits: Option) -> str:
    kinds = alternatives(hint)
    optional = type(None) in kinds
    return " or ".join(_described(kind, limits, optional) for kind in kinds if kind is not type(None))


def _described(kind: Any, limits: Option, optional: bool) -> str:
    if is_choice(kind):
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) in (list, tuple):
        item = get_args(kind)[0]
        if is_choice(item):
            return f"some of {', '.join(map(str, get_args(item)))}"
        return "a list of " + ("texts" if item is str else _allowed(item, limits))
    if is_dataclass(kind):
        names = ", ".join(f.name for f in fields(kind))
        return f"true, false or a mapping of {names}" if optional else f"a mapping of {names}"
    if kind not in (int, float):
        return _SIMPLE[kind]
    return ("a whole number" if kind is int else "a number") + limits.range()


def _kind_or_value(value: Any) -> str:
    if isinstance(value, list | tuple) and len(repr(value)) <= _SHORT:
        return repr(list(value))
    return {dict: "a mapping", list: "a list", tuple: "a list", type(None): "nothing"}.get(type(value)) or repr(value)


# -- YAML


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
        raise DataError(f"{path}: expected {what}, found {_kind_or_value(content)}")
    return content


def from_values(kind: type[Settings], values: Mapping[str, Any], where: str, section: str = "") -> Settings:
    """An options object from plain values.

    A field whose type is another options class is a section; an optional section may also be `true` (with its defaults)
    or `false` (absent).

    Args:
        kind: The dataclass.
        values: Values by field name; an absent one keeps its default.
        where: File or command-line option that the values come from, for messages.
        section: Path of the section, for messages.

    Raises:
        DataError: An unknown key, a value of the wrong type or out of range, or a required one is absent.
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
            raise DataError(f"{where}: {path}{f.name} is missing; expected {_allowed(hints[f.name], option_of(f))}")
    return kind(**converted)


def to_values(settings: Any) -> dict[str, Any]:
    """What differs from the defaults, as plain values from which `from_values` makes an equal object."""
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
    """The options of a command as a section of a config, in which None is the command's own default.

    Args:
        kind: Options of the command.
        leave_out: Fields that whoever starts the command sets.
        more: Options of whoever starts the command, with defaults; they come first.
    """
    hints = type_hints(kind)
    options = [
        (f.name, hints[f.name] | None, field(default=None, metadata={**f.metadata, "default": f.default}))
        for f in fields(kind)
        if f.name not in leave_out
    ]
    return make_dataclass(kind.__name__, options, bases=(more or object,), frozen=True)


def effective(settings: Any, name: str) -> Any:
    """An option of a section made by `section_of`: the value, or the command's default where it is None."""
    value = getattr(settings, name)
    return type(settings).__dataclass_fields__[name].metadata["default"] if value is None else value


def is_required(f: Field[Any]) -> bool:
    """Whether a field has no default."""
    return f.default is MISSING and f.default_factory is MISSING


def field_types(kind: type) -> dict[str, Any]:
    """The type of each field; a section that another package declares is imported here."""
    hints = type_hints(kind)
    sections = {f.name: option_of(f).section for f in fields(cast(Any, kind))}
    return {name: section() | None if section else hints[name] for name, section in sections.items()}


def default_of(f: Field[Any]) -> Any:
    """The default of a field that has one."""
    return f.default if f.default_factory is MISSING else f.default_factory()


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
    raise DataError(f"{where}: {_misfit(path, hint, f, value)}")


def _suggestion(name: str, names: list[str], section: str) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}{'it has' if section else 'expected'} {', '.join(names)}"


# -- Reference text


def reference(f: Field[Any], hint: Any) -> str:
    """What an option means, with its choices, range, and what holds when it is None."""
    declared = option_of(f)
    kinds = (*alternatives(hint), *alternatives(item_type(hint)))
    choices = ", ".join(str(choice) for kind in kinds if is_choice(kind) for choice in get_args(kind))
    limits = declared.range().removeprefix(" of ").lstrip()
    few = "some" if is_choice(item_type(hint)) else "one"
    allowed = f"{limits}, or {choices}" if limits and choices else f"{few} of {choices}" if choices else limits
    sentences = [
        declared.help,
        f"{allowed[0].upper()}{allowed[1:]}." if allowed else "",
        f"Default: {declared.none}." if declared.none else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def yaml_reference(kind: type, indent: str = "") -> Iterator[str]:
    """The lines of a YAML file with every key, its default and what it means; optional sections are comments."""
    hints = field_types(kind)
    for f in fields(cast(Any, kind)):
        section = next((each for each in alternatives(hints[f.name]) if is_dataclass(each)), None)
        text = reference(f, Any if section else hints[f.name])
        if section is None:
            yield from _yaml_line(f"{indent}{f.name}: {_yaml(f)}", text)
            continue
        optional = type(None) in alternatives(hints[f.name])
        if not indent:
            yield ""
        yield from _yaml_line(f"{indent}{f.name}:{' null' if optional and not indent else ''}", text)
        inner = "  # " if optional and not indent else "  "
        yield from yaml_reference(cast(type, section), f"{indent}{inner}")


def _yaml_line(key: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH - _COMMENT_AT - 2, break_on_hyphens=False) or [""]
    start = f"{key:<{_COMMENT_AT}}" if len(key) < _COMMENT_AT else f"{key}  "
    comments = "  # " if key.lstrip().startswith("#") else ""
    yield f"{start}# {lines[0]}".rstrip(" #")
    yield from (f"{comments:<{_COMMENT_AT}}# {line}" for line in lines[1:])


def _yaml(f: Field[Any]) -> str:
    import yaml

    value = option_of(f).example
    if value is None and not is_required(f):
        value = f.metadata.get("default", default_of(f))
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True, width=_WIDTH).removesuffix("...\n").strip()


def _documented(kind: type) -> str:
    """The docstring of an options class with its arguments, made of their declarations."""
    inherited = {f.name: f for base in reversed(kind.__mro__[1:]) if is_dataclass(base) for f in fields(base)}
    declared = inherited | {name: value for name, value in vars(kind).items() if isinstance(value, Field)}
    hints = type_hints(kind)
    lines = [
        textwrap.fill(f"{name}: {reference(f, hints[name])}", _WIDTH, initial_indent="    ", subsequent_indent=" " * 8)
        for name, f in declared.items()
    ]
    text, raises, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\nRaises:")
    return "\n".join([text, "", "Args:", *lines]) + raises + rest
