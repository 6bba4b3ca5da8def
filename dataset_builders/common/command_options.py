"""Make the options of a command from a dataclass of options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from typing import Annotated, Any, cast, get_args, get_type_hints

import typer

from dataset_builders.common.options import (
    Options,
    alternatives,
    default_of,
    is_choice,
    is_required,
    item_type,
    option_of,
    type_hints,
)

_ALIAS, _NUMBER = "alias_of_", "_number_"


def takes_options(leave_out: Sequence[str] = (), **defaults: Any) -> Callable[[Callable[..., None]], Any]:
    """Make command-line options from the parameters of a command that are annotated with options classes.

    Each field becomes an option; the items of lists are separated by commas, or come by options that are repeated. A
    parameter annotated with `| None` is None unless the user gives all required options of its class.

    Args:
        leave_out: Fields that do not become options.
        defaults: Defaults of the command that differ from those of the fields; `...` makes an option required.

    Example::

        @takes_options(minutes=...)
        def brew(tea: Tea, loud: bool = False) -> None:
            ...
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        hints = get_type_hints(command, include_extras=True)
        sections: dict[str, _Section] = {}
        parameters: list[inspect.Parameter] = []
        for name, parameter in signature.parameters.items():
            kinds = alternatives(hints[name])
            if kind := next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Options)), None):
                sections[name] = section = _Section(kind, type(None) in kinds, leave_out, defaults)
                parameters += section.parameters()
            else:
                parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            options = {name: section.take(arguments) for name, section in sections.items()}
            command(**options, **arguments)

        cast(Any, run).__signature__ = signature.replace(parameters=parameters, return_annotation=None)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


@dataclass(frozen=True)
class _Section:
    """The options of a command that come from one options class."""

    kind: type[Options]
    optional: bool
    leave_out: Sequence[str]
    defaults: Mapping[str, Any]

    def fields(self) -> Iterator[tuple[Field[Any], Any]]:
        hints = type_hints(self.kind)
        return ((f, hints[f.name]) for f in fields(cast(Any, self.kind)) if f.name not in self.leave_out)

    def parameters(self) -> Iterator[inspect.Parameter]:
        for f, hint in self.fields():
            declaration = option_of(f)
            default = ... if is_required(f) else default_of(f)
            default = self.defaults.get(f.name, None if self.optional and default is ... else default)
            # a list may be repeated, too: click would keep its last value without a word
            kind = list[str] if declaration.repeatable or item_type(hint) else _simple(hint)
            if default is ...:
                default, kind = inspect.Parameter.empty, next(k for k in alternatives(kind) if k is not type(None))
            elif isinstance(default, list | tuple):
                default, kind = list(map(str, default)) or None, kind | None
            elif default is None:
                kind = kind | None
            info = typer.Option(
                *(declaration.flags or (f"--{f.name.replace('_', '-')}",)),
                help=_help(declaration.help, hint),
                min=declaration.low,
                max=declaration.high,
                metavar="A,B,..." if item_type(hint) and not declaration.repeatable else None,
                show_default=(default is None and declaration.none) or not isinstance(default, bool),
                rich_help_panel=declaration.panel,
            )
            yield _parameter(f.name, Annotated[kind, info], default)
            for number, alias in enumerate(declaration.aliases):
                optional: Any = kind | None
                hidden = typer.Option(alias, hidden=True)
                yield _parameter(f"{_ALIAS}{f.name}{_NUMBER}{number}", Annotated[optional, hidden], None)

    def take(self, arguments: dict[str, Any]) -> Options | None:
        """Remove the section's arguments, and make its options object from them."""
        values = {}
        for f, hint in self.fields():
            aliases = [name for name in arguments if name.startswith(f"{_ALIAS}{f.name}{_NUMBER}")]
            for name in (f.name, *aliases):
                value = arguments.pop(name)
                if (item := item_type(hint)) and value is not None and not option_of(f).repeatable:
                    value = comma_list(value, item)
                if value is not None and value != []:  # otherwise the field has its default
                    values[f.name] = value
        required = [f.name for f, _ in self.fields() if is_required(f)]
        return None if self.optional and not values.keys() >= set(required) else self.kind(**values)


def comma_list(text: str | Sequence[str] | None, item: Any = str) -> list[Any] | None:
    """Split a comma-separated list: `"sgd, woz"` -> `["sgd", "woz"]`; None and blanks -> None.

    Args:
        text: Items, separated by commas; several such texts if the option was repeated.
        item: Type of the items; a whole number is converted if the type allows it.

    Example:
        >>> comma_list("sgd, woz"), comma_list(["sgd", "woz,camrest676"]), comma_list("3,all", int | str)
        (['sgd', 'woz'], ['sgd', 'woz', 'camrest676'], [3, 'all'])
    """
    texts = [text] if isinstance(text, str) else text or ()
    words = [word.strip() for each in texts for word in each.split(",") if word.strip()]
    if int in alternatives(item):
        return [int(word) if word.replace("_", "").isdecimal() else word for word in words] or None
    return words or None


def option_words(settings: Any, leave_out: Sequence[str] = ()) -> list[str]:
    """Options as words of a command line: `max_pairs=3` -> `--max-pairs 3`; skips None and empty lists."""
    words = []
    for f in fields(settings):
        value = getattr(settings, f.name)
        if value is None or value == () or value == [] or f.name in leave_out:
            continue
        on, off = flags_of(f)
        if isinstance(value, bool):
            words += [flag for flag in (on if value else off,) if flag]
        elif isinstance(value, list | tuple) and option_of(f).repeatable:
            words += [word for item in value for word in (on, str(item))]
        else:
            words += [on, ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]
    return words


def flags_of(f: Field[Any]) -> tuple[str, str]:
    """The longest command-line name of an option, and the name that switches it off, which may be empty."""
    flags = option_of(f).flags or (f"--{f.name.replace('_', '-')}",)
    on, _, off = max(flags, key=len).partition("/")
    return on.strip(), off.strip()


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _help(text: str, hint: Any) -> str:
    """The sentence about an option; choices of a list are named, as those of a single value are by typer."""
    item = item_type(hint)
    return f"{text} Some of {', '.join(map(str, get_args(item)))}." if is_choice(item) else text


def _simple(hint: Any) -> Any:
    """The type of an option on the command line: lists, and options that may be text or a mapping, are text."""
    kinds = alternatives(hint)
    if hint is Any or item_type(hint) or (str in kinds and dict in kinds):
        return str | None
    return hint
