"""Tables of a report, as plain data for the terminal and the HTML page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from dataset_builders.schema import CONFIGS
from dataset_builders.sql.run import Rows

Cell = str | int | float | None

ALL = "all"
"""Name of the row with the totals."""


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        title: Title; empty if that of the section suffices.
        columns: Format of the numbers (`","`, `".1f"`, `".1%"`) by column title; `""` for text.
        rows: Cells in the order of the columns; None is an empty cell.
        page_only: Whether only the HTML page shows the table, folded, because it is long.
    """

    title: str
    columns: dict[str, str]
    rows: list[tuple[Cell, ...]]
    page_only: bool = False

    def texts(self) -> Iterator[list[str]]:
        """The formatted cells, row by row."""
        for row in self.rows:
            yield [shown(cell, spec) for cell, spec in zip(row, self.columns.values(), strict=True)]


@dataclass(frozen=True)
class Section:
    """A heading with a note and tables; the HTML page adds the plots of the same key."""

    key: str
    title: str
    note: str = ""
    tables: list[Table] = field(default_factory=list)


def shown(cell: Cell, spec: str) -> str:
    """Format a cell."""
    if cell is None:
        return ""
    return format(cell, spec) if spec and not isinstance(cell, str) else str(cell)


def listed(counts: Counter[str], most: int = 3) -> str:
    """The largest counts as text: `"sgd 1,204, woz 31 and 2 more"`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [f"{name} {number:,}" for name, number in ordered]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def by_source(rows: Rows, name: str) -> list[tuple[tuple[str, str], Counter[str]]]:
    """Number of rows by source for each config and value of the column `name`; large numbers first."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["config"], row[name]][row["source"]] += row["rows"]
    return sorted(counts.items(), key=lambda item: (CONFIGS.index(item[0][0]), -sum(item[1].values()), item[0]))
