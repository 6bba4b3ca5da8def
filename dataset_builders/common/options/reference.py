"""Reference text of options, in docstrings and in example files in YAML."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any, cast, get_args

from dataset_builders.common.options.declaration import (
    alternatives,
    default_of,
    field_types,
    is_choice,
    is_required,
    item_type,
    option_of,
    type_hints,
)

_WIDTH = 116
_COMMENT_AT = 38
"""Column of the comments in an example file."""


def reference(f: Field[Any], hint: Any) -> str:
    """The meaning of an option, with its choices, its range and the meaning of None."""
    declaration = option_of(f)
    kinds = (*alternatives(hint), *alternatives(item_type(hint)))
    choices = ", ".join(str(choice) for kind in kinds if is_choice(kind) for choice in get_args(kind))
    limits = declaration.range().removeprefix(" of ").lstrip()
    few = "some" if is_choice(item_type(hint)) else "one"
    allowed = f"{limits}, or {choices}" if limits and choices else f"{few} of {choices}" if choices else limits
    sentences = [
        declaration.help,
        f"{allowed[0].upper()}{allowed[1:]}." if allowed else "",
        f"Default: {declaration.none}." if declaration.none else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def docstring(kind: type) -> str:
    """The docstring of an options class, with a section `Args` made of the declarations."""
    inherited = {f.name: f for base in reversed(kind.__mro__[1:]) if is_dataclass(base) for f in fields(base)}
    own = {name: value for name, value in vars(kind).items() if isinstance(value, Field)}
    hints = type_hints(kind)
    lines = [
        textwrap.fill(f"{name}: {reference(f, hints[name])}", _WIDTH, initial_indent="    ", subsequent_indent=" " * 8)
        for name, f in (inherited | own).items()
    ]
    text, raises, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\nRaises:")
    return "\n".join([text, "", "Args:", *lines]) + raises + rest


def yaml_reference(kind: type, indent: str = "") -> Iterator[str]:
    """The lines of a YAML file with every key, its default and its meaning; optional sections are comments."""
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
