"""The options of a command, made of a dataclass of options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, fields
from typing import Annotated, Any, cast, get_type_hints

import typer

from dataset_builders.common.options import alternatives, is_required, item_type, option_of, type_hints

_ALIAS, _NUMBER = "alias_of_", "_number_"


def takes(kind: type, leave_out: Sequence[str] = (), **defaults: Any) -> Callable[[Callable[..., None]], Any]:
    """Give a command an option for each field of `kind`; its first parameter gets the object made of them.

    The command's other parameters stay its own, after these. Lists are written with commas.

    Args:
        kind: A dataclass of options.
        leave_out: Fields that are no option of the command.
        defaults: Defaults of the command where they differ from the fields'; `...`: required.

    Example::

        @takes(Tea, minutes=...)
        def brew(tea: Tea) -> None:
            ...
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own_hints = get_type_hints(command, include_extras=True)
        _, *own = signature.parameters.values()
        lists = {f.name: item_type(hint) for f, hint in _typed(kind)}
        parameters = list(_parameters(kind, leave_out, defaults))

        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            rest = {parameter.name: arguments.pop(parameter.name) for parameter in own}
            values = {}
            for name in sorted(arguments, key=lambda name: name.startswith(_ALIAS)):  # an alias overrides the default
                value, field_name = arguments[name], name.removeprefix(_ALIAS).partition(_NUMBER)[0]
                if (item := lists[field_name]) and isinstance(value, str):
                    value = comma_list(value, item)
                if value is not None:  # else the field's default holds
                    values[field_name] = value
            command(kind(**values), **rest)

        more = [p.replace(annotation=own_hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        cast(Any, run).__signature__ = signature.replace(parameters=[*parameters, *more], return_annotation=None)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *more]}
        return run

    return decorate


def comma_list(text: str | None, item: Any = str) -> list[Any] | None:
    """`"sgd, woz"` -> `["sgd", "woz"]`; None and blanks -> None (all).

    Args:
        text: Items and commas.
        item: Type of the items; a word that is a whole number becomes one where the type allows it.
    """
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if int in alternatives(item):
        return [int(word) if word.replace("_", "").isdecimal() else word for word in words] or None
    return words or None


def option_words(settings: Any, leave_out: Sequence[str] = ()) -> list[str]:
    """Options as words of a command line: `max_pairs=3` -> `--max-pairs 3`; None and empty lists are left out."""
    words = []
    for f in fields(settings):
        value = getattr(settings, f.name)
        if value is None or value == () or value == [] or f.name in leave_out:
            continue
        on, off = flags_of(f)
        if isinstance(value, bool):
            words += [flag for flag in (on if value else off,) if flag]
        else:
            words += [on, ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]
    return words


def flags_of(f: Field[Any]) -> tuple[str, str]:
    """Names of an option on the command line: the longest one, and the one that switches it off (may be empty)."""
    declared = option_of(f).flags or (f"--{f.name.replace('_', '-')}",)
    on, _, off = max(declared, key=len).partition("/")
    return on.strip(), off.strip()


def _typed(kind: type) -> Iterator[tuple[Field[Any], Any]]:
    hints = type_hints(kind)
    return ((f, hints[f.name]) for f in fields(cast(Any, kind)))


def _parameters(kind: type, leave_out: Sequence[str], defaults: dict[str, Any]) -> Iterator[inspect.Parameter]:
    for f, hint in _typed(kind):
        if f.name in leave_out:
            continue
        declared = option_of(f)
        default = defaults.get(f.name, ... if is_required(f) else f.default)
        flags = declared.flags or (f"--{f.name.replace('_', '-')}",)
        simple = _simple(hint)
        if default is ...:
            default, simple = inspect.Parameter.empty, next(k for k in alternatives(simple) if k is not type(None))
        elif isinstance(default, list | tuple):
            default = ",".join(map(str, default)) or None
        info = typer.Option(
            *flags,
            help=declared.help,
            min=declared.low,
            max=declared.high,
            metavar="A,B,..." if item_type(hint) else None,
            show_default=declared.none if default is None and declared.none else not isinstance(default, bool),
            rich_help_panel=declared.panel,
        )
        yield _parameter(f.name, Annotated[simple, info], default)
        for number, alias in enumerate(declared.aliases):
            optional: Any = simple | None
            hidden = typer.Option(alias, hidden=True)
            yield _parameter(f"{_ALIAS}{f.name}{_NUMBER}{number}", Annotated[optional, hidden], None)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _simple(hint: Any) -> Any:
    """The type of an option on the command line: a list is a text, and so is what may be a text or more."""
    kinds = alternatives(hint)
    if item_type(hint) or (str in kinds and dict in kinds):
        return str | None
    return hint
