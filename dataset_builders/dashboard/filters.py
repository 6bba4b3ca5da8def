"""The filters by source, split, language and metadata, which apply to all tabs and are part of the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = ("source", "split", "language")
"""Columns with a filter; also the names of the parameters in the address."""


@dataclass(frozen=True)
class Metadata:
    """A condition on the metadata of own data.

    Args:
        key: Key of the JSON objects.
        values: Values that match, at least one.
    """

    key: str
    values: tuple[str, ...]

    @property
    def condition(self) -> str:
        """The condition in SQL, without parameters."""
        return f"{value_of(self.key)} IN ({', '.join(map(_literal, self.values))})"


def value_of(key: str) -> str:
    """SQL of the value that a key has in the metadata, as text."""
    return f"metadata->>{_literal('/' + key.replace('~', '~0').replace('/', '~1'))}"  # a JSON pointer, RFC 6901


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Filters:
    """The chosen values; an empty tuple means all.

    Args:
        source: Names of sources.
        split: Splits from `schema.SPLITS`.
        language: BCP 47 tags.
        metadata: Metadata of the rows, which `scope.on_rows` applies to whole queries; None for all rows.
    """

    source: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    metadata: Metadata | None = None

    def where(self, columns: Iterable[str] = COLUMNS, *conditions: str, table: str = "") -> tuple[str, list[Any]]:
        """A WHERE clause and its parameters.

        Args:
            columns: Columns from `COLUMNS` that the table has; other filters do not apply.
            conditions: More conditions, without parameters.
            table: Name of the table to put before the columns.
        """
        by_column = {name: getattr(self, name) for name in columns}
        prefix = f"{table}." if table else ""
        parts = [f"{prefix}{name} IN ({', '.join('?' * len(values))})" for name, values in by_column.items() if values]
        clause = " AND ".join([*parts, *conditions])
        return f"WHERE {clause}" if clause else "", [value for values in by_column.values() for value in values]

    def with_longer_tags(self, tags: Iterable[str]) -> Filters:
        """Extend the languages to all of `tags` that are more specific: `en` includes `en-US`."""
        covered = (tag for tag in tags if any(tag == one or tag.startswith(f"{one}-") for one in self.language))
        return replace(self, language=tuple(covered))

    def ignored(self, columns: Sequence[str]) -> list[str]:
        """Names of the filters in use that do not apply to a table with only these columns."""
        return [name for name in (*COLUMNS, "metadata") if getattr(self, name) and name not in columns]

    def __bool__(self) -> bool:
        return bool(self.source or self.split or self.language or self.metadata)
