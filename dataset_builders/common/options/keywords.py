"""Fields of a dataclass as keywords of a function."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def keywords_of(kind: type) -> Callable[[_Function], _Function]:
    """Let `help` and editors show the fields of a dataclass, with their defaults, in place of a function's `**options`.

    Args:
        kind: The dataclass.
    """

    def with_signature(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        fields = [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
            for field in dataclasses.fields(kind)
            if field.name not in signature.parameters
        ]
        function.__signature__ = signature.replace(parameters=[*own, *fields])  # type: ignore[attr-defined]
        return function

    return with_signature
