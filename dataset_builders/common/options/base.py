"""The base class of dataclasses of options."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, ClassVar, cast

from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.common.options.declaration import option_of, type_hints
from dataset_builders.common.options.reference import docstring
from dataset_builders.common.options.values import convert, mismatch


class Options:
    """Base of dataclasses whose fields are made by `option`: it checks their values and documents them.

    A subclass names the error that it raises: `class TrainingConfig(Options, error=ModelError)`.
    """

    error: ClassVar[type[DialogueCubeError]] = DataError

    def __init_subclass__(cls, error: type[DialogueCubeError] | None = None, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if error is not None:
            cls.error = error
        cls.__doc__ = docstring(cls)

    def __post_init__(self) -> None:
        hints = type_hints(type(self))
        for f in fields(cast(Any, self)):
            value = getattr(self, f.name)
            try:
                object.__setattr__(self, f.name, convert(hints[f.name], value, option_of(f)))
            except ValueError:
                raise self.error(mismatch(f.name, hints[f.name], f, value)) from None

    def result_options(self) -> dict[str, Any]:
        """The options that the result depends on, as plain values."""
        values = asdict(cast(Any, self))
        return {f.name: values[f.name] for f in fields(cast(Any, self)) if option_of(f).in_result}
