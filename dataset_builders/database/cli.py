"""The commands `database`, `sql` and `argilla`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dataset_builders.common.errors import DataError
from dataset_builders.database.printing import Format

if TYPE_CHECKING:
    from rich.console import Console

ReviewedConfig = Literal["dialogues", "pairs", "downstream"]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(database)
    app.command()(sql)
    app.command()(argilla)


def database(
    data: Annotated[str, typer.Option(help="Dataset folder made by `build`, or Hub dataset repository.")],
    out: Annotated[Path | None, typer.Option(help="DuckDB file to write or update.")] = None,
    sqlite: Annotated[Path | None, typer.Option(help="SQLite file to write, for tools that need it.")] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Memory limit of DuckDB, such as 1GB; beyond it, temporary files. Default: by the number of rows."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Number of DuckDB threads.")] = 2,
) -> None:
    """Write the dataset as a database: dialogues, turns, pairs, intents, drops and metrics.

    Writes only what has changed. To query it, run `dialogue-cube sql --database FILE "SELECT ..."`.
    """
    from rich.console import Console
    from rich.text import Text

    from dataset_builders.common.progress import step_bar
    from dataset_builders.database.asking import open_any
    from dataset_builders.database.build import build_database
    from dataset_builders.database.sqlite import export_sqlite

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
        console.print(Text(f'Try: dialogue-cube sql --database {out} "FROM dialogue_statistics"'), soft_wrap=True)


def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUERY]", help="SQL; - reads it from standard input. Without a query: list tables and views."
        ),
    ] = None,
    database: Annotated[Path | None, typer.Option(help="File made by `database`.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Dataset folder or Hub repository to query without a database.")
    ] = None,
    shape: Annotated[Format, typer.Option("--format", help="Output format of the rows.")] = Format.table,
    script: Annotated[
        bool,
        typer.Option(
            "--script", help="Print the SQL that creates the same views on the parquet files in DuckDB's command line."
        ),
    ] = False,
    allow_files: Annotated[
        bool,
        typer.Option(
            "--allow-files",
            help="Let the query read and write files: COPY ... TO replaces any file, even the database.",
        ),
    ] = False,
) -> None:
    """Query the data with SQL (DuckDB's dialect), read-only.

    The other columns of your own data are in the column metadata, as JSON: WHERE metadata->>'$.team' = 'sales'.
    """
    from dataset_builders.database.asking import ask, open_any
    from dataset_builders.database.printing import print_answer
    from dataset_builders.sql import script as views

    if script:
        typer.echo(views(), nl=False)
        return
    if query is None:
        _print_names()
        return
    with open_any(database, data, allow_files=allow_files) as connection:
        text = sys.stdin.read() if query == "-" else query
        try:
            print_answer(ask(connection, text), shape)
        except BrokenPipeError:  # as with `| head`
            sys.stderr.close()


def argilla(
    config: Annotated[ReviewedConfig, typer.Option(help="Rows to review.")] = "pairs",
    database: Annotated[Path | None, typer.Option(help="File made by `database`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write, which `argilla.Dataset.from_disk` opens.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="File of decisions about rows: read for --out, written with --read.")
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B,...", help="Rows of these sources. Default: the rows of --decisions."),
    ] = None,
    flag: Annotated[str | None, typer.Option(help="Rows with this flag, such as wrong_language.")] = None,
    max_rows: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 1_000,
    read: Annotated[
        Path | None,
        typer.Option(help="records.json that Argilla exported: append its responses to --decisions."),
    ] = None,
) -> None:
    """Let people review rows in Argilla: write a dataset for it, or read their decisions back."""
    from dataset_builders.common.command_options import comma_list
    from dataset_builders.common.decisions import append_decisions, read_decisions
    from dataset_builders.database.argilla import export_argilla, read_argilla
    from dataset_builders.database.opening import open_database

    if read is not None:
        if decisions is None or out is not None:
            raise DataError("--read FILE appends to --decisions FILE; leave out --out")
        reviewed = read_argilla(read, config)
        append_decisions(decisions, reviewed)
        typer.echo(f"{len(reviewed):,} decisions appended to {decisions}; obey them: build --decisions {decisions}")
        return
    if database is None or out is None:
        raise DataError("name --database FILE and --out FOLDER, or --read FILE and --decisions FILE")
    decided = read_decisions(decisions) if decisions is not None else None
    with open_database(database) as connection:
        names = comma_list(sources) or []
        count = export_argilla(connection, out, config, decisions=decided, sources=names, flag=flag, most=max_rows)
    typer.echo(f"{count:,} rows are in {out}; open them: argilla.Dataset.from_disk({str(out)!r})")


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
        table.add_row(name, f"{rows[name]:,}" + ("" if name in written else " (unchanged)"))
    console.print(table)
    size = path.stat().st_size / 1e6
    console.print(Text(f"written: {path}, {size:,.0f} MB"), soft_wrap=True)
