"""The commands `database` and `sql`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataset_builders.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from dataset_builders.database.asking import Answer

SHOWN_ROWS = 100
"""Rows of a table on the screen; csv and json give all."""


class Format(str, Enum):
    """How `sql` prints rows."""

    table = "table"
    csv = "csv"
    json = "json"


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(database)
    app.command()(sql)


def database(
    data: Annotated[str, typer.Option(help="Dataset folder made by `build`, or Hub dataset repository.")],
    out: Annotated[Path | None, typer.Option(help="DuckDB file to write or bring up to date.")] = None,
    sqlite: Annotated[Path | None, typer.Option(help="SQLite file to write, for tools that read nothing else.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Of DuckDB, such as 1GB; above it, temporary files. Default: by the rows.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of DuckDB.")] = 2,
) -> None:
    """Write the dataset as a database: dialogues, turns, pairs, intents, drops and ready metrics.

    Only what has changed is written again. Ask it: `dialogue-cube sql --database FILE "SELECT ..."`.
    """
    from rich.console import Console
    from rich.text import Text

    from dataset_builders.database.asking import open_any
    from dataset_builders.database.build import build_database
    from dataset_builders.database.sqlite import export_sqlite
    from dataset_builders.progress import step_bar

    if out is None and sqlite is None:
        raise DataError("name the file to write: --out FILE.duckdb, or --sqlite FILE.sqlite")
    console = Console()
    if out is not None:
        with step_bar() as progress:
            built = build_database(data, out, progress, memory, threads)
        if not built.written:
            console.print(Text(f"{out} is up to date: nothing was written"), soft_wrap=True)
        else:
            _print_written(console, out, built.written, built.rows)
    if sqlite is not None:
        with open_any(out, None if out else data) as connection, step_bar() as progress:
            rows = export_sqlite(connection, sqlite, progress)
        _print_written(console, sqlite, tuple(rows), rows)
    if out is not None:
        console.print(Text(f'Ask it: dialogue-cube sql --database {out} "FROM dialogue_statistics"'), soft_wrap=True)


def sql(
    query: Annotated[
        str | None,
        typer.Argument(metavar="[QUERY]", help="SQL; - reads it from standard input. Without: what there is."),
    ] = None,
    database: Annotated[Path | None, typer.Option(help="File made by `database`.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Instead: dataset folder or Hub repository, asked without a database.")
    ] = None,
    shape: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = Format.table,
    script: Annotated[
        bool,
        typer.Option(
            "--script", help="Print the SQL that gives the DuckDB command line the same views on parquet alone."
        ),
    ] = False,
) -> None:
    """Ask the data with SQL (DuckDB's dialect); nothing can be changed."""
    from dataset_builders.database.asking import ask, open_any
    from dataset_builders.sql import script as views

    if script:
        typer.echo(views(), nl=False)
        return
    if query is None:
        _print_names()
        return
    with open_any(database, data) as connection:
        text = sys.stdin.read() if query == "-" else query
        try:
            _PRINTERS[shape](ask(connection, text))
        except BrokenPipeError:  # `| head` has seen enough
            sys.stderr.close()


def _print_table(answer: Answer) -> None:
    from itertools import islice

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dataset_builders.database.asking import cell

    rows = iter(answer)
    shown = list(islice(rows, SHOWN_ROWS))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(answer.columns):
        are_numbers = shown and all(isinstance(row[number], int | float | None) for row in shown)
        table.add_column(Text(name), justify="right" if are_numbers else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(f"{value:.4g}" if isinstance(value, float) else cell(value)) for value in row))
    Console().print(table)
    more = next(rows, None) is not None
    count = f"the first {SHOWN_ROWS} rows; all: --format csv or json" if more else f"{len(shown)} rows"
    Console(stderr=True).print(Text(count, style="dim"))


def _print_csv(answer: Answer) -> None:
    import csv

    from dataset_builders.database.asking import cell

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([cell(value) for value in row] for row in answer)
    sys.stdout.flush()


def _print_json(answer: Answer) -> None:
    import json

    from dataset_builders.database.asking import plain

    sys.stdout.write("[")
    for number, row in enumerate(answer):
        line = json.dumps(dict(zip(answer.columns, map(plain, row), strict=True)), ensure_ascii=False)
        sys.stdout.write(f"{',' if number else ''}\n{line}")
    sys.stdout.write("\n]\n")
    sys.stdout.flush()


_PRINTERS: dict[Format, Callable[[Answer], None]] = {
    Format.table: _print_table,
    Format.csv: _print_csv,
    Format.json: _print_json,
}


def _print_names() -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dataset_builders.database.asking import described

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for title in ("name", "kind", "what it holds"):
        table.add_column(title, overflow="fold", no_wrap=title == "name")
    for name, kind, comment in described():
        table.add_row(Text(name), Text(kind), Text(comment))
    Console().print(table)


def _print_written(console: Console, path: Path, written: tuple[str, ...], rows: dict[str, int]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name in ("dialogs", "turns", "pairs", "downstream", "drops", "clusters"):
        table.add_row(name, f"{rows[name]:,}" + ("" if name in written else " (as before)"))
    console.print(table)
    size = path.stat().st_size / 1e6
    console.print(Text(f"written: {path}, {size:,.0f} MB, {len(written)} tables and views"), soft_wrap=True)
