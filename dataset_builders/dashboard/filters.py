"""The choice of source, split and language that holds on every tab, and stands in the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = ("source", "split", "language")
"""Columns that can be filtered; also the names in the address."""


@dataclass(frozen=True)
class Filters:
    """What is chosen; nothing chosen means all.

    Args:
        source: Corpora.
        split: Of `schema.SPLITS`.
        language: BCP 47 tags.
    """

    source: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    language: tuple[str, ...] = ()

    def where(self, columns: Iterable[str] = COLUMNS, *conditions: str, table: str = "") -> tuple[str, list[Any]]:
        """A WHERE clause and its parameters.

        Args:
            columns: Those of `COLUMNS` that the table has; a choice of others does not act on it.
            conditions: Further conditions, without parameters.
            table: Name before the columns.
        """
        chosen = {name: getattr(self, name) for name in columns}
        before = f"{table}." if table else ""
        parts = [f"{before}{name} IN ({', '.join('?' * len(values))})" for name, values in chosen.items() if values]
        clause = " AND ".join([*parts, *conditions])
        return f"WHERE {clause}" if clause else "", [value for values in chosen.values() for value in values]

    def with_longer_tags(self, known: Iterable[str]) -> Filters:
        """A chosen language covers its longer tags: `en` is `en-US` too."""
        covered = (tag for tag in known if any(tag == one or tag.startswith(f"{one}-") for one in self.language))
        return replace(self, language=tuple(covered))

    def ignored(self, columns: Sequence[str]) -> list[str]:
        """Chosen columns that a table with only these columns cannot be filtered by."""
        return [name for name in COLUMNS if getattr(self, name) and name not in columns]

    def __bool__(self) -> bool:
        return bool(self.source or self.split or self.language)
