"""Print the rows of a query to standard output: as a table for people, as CSV or JSON for programs."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from dataset_builders.common.spreadsheets import as_cell
from dataset_builders.common.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console

    from dataset_builders.database.asking import Answer

SHOWN_ROWS = 100
"""Maximum number of rows of a table; CSV and JSON print all rows."""

_C1 = re.compile("[\x7f-\x9f]")
"""Control characters that JSON does not escape; U+009B begins a sequence that a terminal obeys."""

_LONG = 32
"""Width in characters up to which cells are never folded."""


class Format(str, Enum):
    """Output format of rows."""

    table = "table"
    csv = "csv"
    json = "json"


def print_answer(answer: Answer, shape: Format) -> None:
    """Print all rows, or the first `SHOWN_ROWS` as a table."""
    _PRINTERS[shape](answer)
    sys.stdout.flush()


def _print_table(answer: Answer) -> None:
    from rich.console import Console
    from rich.text import Text

    rows = iter(answer)
    shown = list(islice(rows, SHOWN_ROWS))
    cells = [
        [f"{value:,.4g}" if isinstance(value, float | Decimal) else visible(cell(value)) for value in row]
        for row in shown
    ]
    numeric = [bool(shown) and all(_is_number(row[n]) for row in shown) for n in range(len(answer.columns))]
    console = Console()
    if not _print_grid(console, answer.columns, cells, numeric):
        _print_records(console, answer.columns, cells)
    more = next(rows, None) is not None
    count = f"the first {SHOWN_ROWS} rows; for all, use --format csv or json" if more else f"{len(shown)} rows"
    Console(stderr=True).print(Text(count, style="dim"))


def _print_grid(console: Console, columns: Sequence[str], cells: list[list[str]], numeric: list[bool]) -> bool:
    """Print columns side by side; False if they do not fit."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    longest = [max((len(line) for row in cells for line in row[n].split("\n")), default=0) for n in range(len(columns))]
    headings = list(columns)
    narrow = [min(size, _LONG) for size in longest]
    if sum(map(max, zip(narrow, map(len, headings), strict=True))) + len(columns) > console.width:
        headings = [name.replace("_", "_\n") for name in columns]
    widths = [
        max(size, *(len(part) for part in heading.split("\n"))) for size, heading in zip(narrow, headings, strict=True)
    ]
    if sum(widths) + len(columns) > console.width:
        return False
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading, width, is_numeric in zip(headings, widths, numeric, strict=True):
        table.add_column(Text(heading), justify="right" if is_numeric else "left", overflow="fold", min_width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)
    return True


def _print_records(console: Console, columns: Sequence[str], cells: list[list[str]]) -> None:
    """Print a block per row, with a line per column."""
    from rich.table import Table
    from rich.text import Text

    for number, row in enumerate(cells, 1):
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in zip(columns, row, strict=True):
            table.add_row(Text(name, style="bold"), Text(value))
        console.print(Text(f"row {number}", style="dim"))
        console.print(table)


def _print_csv(answer: Answer) -> None:
    """Print CSV for spreadsheets: no text is taken for a formula. JSON keeps every text as it is."""
    show = visible if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([show(as_cell(name)) for name in answer.columns])
    writer.writerows([show(cell(as_cell(value))) for value in row] for row in answer)


def _print_json(answer: Answer) -> None:
    sys.stdout.write("[")
    for number, row in enumerate(answer):
        line = json.dumps(dict(zip(answer.columns, map(_plain, row), strict=True)), ensure_ascii=False)
        line = _C1.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
        sys.stdout.write(f"{',' if number else ''}\n{line}")
    sys.stdout.write("\n]\n")


_PRINTERS: dict[Format, Callable[[Answer], None]] = {
    Format.table: _print_table,
    Format.csv: _print_csv,
    Format.json: _print_json,
}


def cell(value: Any) -> str:
    """A value as text: empty for None, JSON for lists and structs."""
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    """Convert a value to JSON types: decimals become numbers, NaN and infinity null, dates and the like text."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))
