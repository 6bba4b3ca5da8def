"""Lists that a cell of a table holds as text: as JSON, or as Python prints them."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from dataset_builders.own_data.plain.names import TURNS, plain


def turn_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that hold turns by their names."""
    return tuple(column for column in columns if plain(column) in TURNS)


def with_lists(rows: Iterable[tuple[int, Any]], columns: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
    """Rows in which the lists that these columns hold as text are lists."""
    for number, row in rows:
        if isinstance(row, dict):
            for column in columns:
                row[column] = unfolded(row.get(column))
        yield number, row


def unfolded(value: Any) -> Any:
    """The list that a text holds; any other value itself.

    Tables that pandas writes hold lists as Python prints them, and those of numpy, which have no commas between
    objects.

    >>> unfolded('[{"role": "user"}]') == unfolded("[{'role': 'user'}]") == [{"role": "user"}]
    True
    """
    if not isinstance(value, str) or not (text := value.strip()).startswith("[") or not text.endswith("]"):
        return value
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        pass
    for literal in (text, text.replace("}\n {", "}, {")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd backslashes
                parsed = ast.literal_eval(literal)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        return parsed if isinstance(parsed, list) else value
    return value
