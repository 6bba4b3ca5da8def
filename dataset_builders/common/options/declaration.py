"""Declare an option as a dataclass field, and read the declaration."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Option:
    """The declaration of an option, except its name, type and default.

    Args:
        help: One sentence.
        none: Meaning of the value None.
        low: Lowest number.
        high: Highest number.
        above: Number that the value must exceed.
        below: Number that the value must stay below.
        in_result: Whether the result depends on the option.
        flags: Command-line names in typer's form, if they do not follow from the field's name.
        aliases: More command-line names, hidden from its help and the reference.
        panel: Panel of the command's help.
        section: Function that returns the dataclass of a section, for one that another package declares.
        example: Value in an example file, if the default would show nothing.
        repeatable: Whether a list is written as several options rather than with commas.
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
    repeatable: bool = False

    def allows(self, number: float) -> bool:
        """Whether a number is finite and in the range."""
        return (
            abs(number) < math.inf  # not of NaN, too
            and (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def range(self) -> str:
        """The range as text that follows "a number"; empty without limits."""
        if self.low is not None and self.high is not None:
            return f" from {self.low:g} to {self.high:g}"
        limits = {"of at least": self.low, "above": self.above, "of at most": self.high, "below": self.below}
        words = [f"{words} {limit:g}" for words, limit in limits.items() if limit is not None]
        return f" {' and '.join(words)}" if words else ""


def option(default: Any = MISSING, help: str = "", **more: Any) -> Any:
    """A field of an `Options` class.

    Args:
        default: Default value, or a function without arguments that makes it; without one the option is required.
        help: One sentence.
        more: Arguments of `Option`.
    """
    metadata = {"option": Option(help, **more)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def option_of(f: Field[Any]) -> Option:
    """The declaration of a field."""
    return f.metadata.get("option", Option())


def is_required(f: Field[Any]) -> bool:
    """Whether a field has no default."""
    return f.default is MISSING and f.default_factory is MISSING


def default_of(f: Field[Any]) -> Any:
    """The default of a field that has one."""
    return f.default if f.default_factory is MISSING else f.default_factory()


@functools.cache
def _evaluated(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def type_hints(kind: type) -> dict[str, Any]:
    """The types of the fields; cached, because evaluating forty of them takes milliseconds."""
    return _evaluated(kind)


def field_types(kind: type) -> dict[str, Any]:
    """The types of the fields; imports the sections that other packages declare."""
    hints = type_hints(kind)
    sections = {f.name: option_of(f).section for f in fields(cast(Any, kind))}
    return {name: section() | None if section else hints[name] for name, section in sections.items()}


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types in a union: `int | None` -> `int`, `NoneType`."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def is_choice(kind: Any) -> bool:
    """Whether a type is a list of allowed values."""
    return get_origin(kind) is Literal


def item_type(hint: Any) -> Any:
    """The type of the items of a list or tuple; None for other types."""
    return next((get_args(kind)[0] for kind in alternatives(hint) if get_origin(kind) in (list, tuple)), None)
