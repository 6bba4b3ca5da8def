"""How to publish: the options that datasets, models and metrics share, declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypedDict, get_type_hints

import typer


class PushOptions(TypedDict, total=False):
    """Keyword arguments of every `push_*` function.

    Attributes:
        private: Make the repository private. Rows that may not be redistributed are held back all the same.
        create_pr: Open a pull request against the main branch instead of committing.
        tag: Name of this version.
        revision: Branch to commit to, instead of the main one; made when missing.
        message: Title of the commit.
        overwrite: Replace a revision that is newer than what is pushed, see `history.check_not_newer`.
    """

    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")]
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request instead of committing.")]
    tag: Annotated[str | None, typer.Option("--tag", metavar="V", help="Name this version, e.g. v1.0.")]
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="BRANCH", help="Commit to this branch; made when missing.")
    ]
    message: Annotated[str | None, typer.Option("--message", "-m", help="Title of the commit.")]
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a revision that is newer than what is pushed.")
    ]


def with_push_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `PushOptions` in place of its `**how`."""
    hints = get_type_hints(PushOptions, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(name, kind, default=False if hint.__origin__ is bool else None, annotation=hint)
        for name, hint in hints.items()
    ]
    own = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    kept = [
        parameter.replace(annotation=own[name], kind=kind)
        for name, parameter in signature.parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        command(**arguments)

    run.__signature__ = signature.replace(parameters=kept + added, return_annotation=None)  # type: ignore[attr-defined]
    run.__annotations__ = {name: hint for name, hint in {**own, **hints}.items() if name not in ("how", "return")}
    return run
