"""Options, each declared once: a dataclass field with its type, default, range and one sentence of help.

The declaration checks the values that Python passes and those of a YAML file, and is the reference text. With
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

from dataset_builders.common.options.base import Options
from dataset_builders.common.options.declaration import (
    Option,
    alternatives,
    default_of,
    field_types,
    is_choice,
    is_required,
    item_type,
    option,
    option_of,
    type_hints,
)
from dataset_builders.common.options.keywords import keywords_of
from dataset_builders.common.options.reference import reference, yaml_reference
from dataset_builders.common.options.settings import effective, from_values, read_settings, section_of, to_values
from dataset_builders.common.options.values import convert

__all__ = [
    "Option",
    "Options",
    "alternatives",
    "convert",
    "default_of",
    "effective",
    "field_types",
    "from_values",
    "is_choice",
    "is_required",
    "item_type",
    "keywords_of",
    "option",
    "option_of",
    "read_settings",
    "reference",
    "section_of",
    "to_values",
    "type_hints",
    "yaml_reference",
]
