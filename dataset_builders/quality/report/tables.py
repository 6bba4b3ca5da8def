"""Plain tables of a report: the terminal and the HTML page show the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

Cell = str | int | float | None

ALL = "all"
"""Name of the row that sums up."""


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        title: What it shows; empty when the section says it.
        columns: Title -> format of its numbers (`","`, `".1f"`, `".1%"`), `""` for text.
        rows: Cells in the order of the columns; None is shown as an empty cell.
        page_only: Too long for the terminal: the HTML page has it, folded.
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
    """A heading with tables; the page adds the plots named as the section."""

    key: str
    title: str
    note: str = ""
    tables: list[Table] = field(default_factory=list)


def shown(cell: Cell, spec: str) -> str:
    """A cell as text."""
    if cell is None:
        return ""
    return format(cell, spec) if spec and not isinstance(cell, str) else str(cell)


def listed(counts: Counter[str], most: int = 3) -> str:
    """The largest of the counts: `"sgd 1,204, woz 31 and 2 more"`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [f"{name} {number:,}" for name, number in ordered]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
