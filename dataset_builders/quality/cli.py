"""The command `quality`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dataset_builders.quality.report.read import QualityReport
    from dataset_builders.quality.report.tables import Table


def quality(
    data: Annotated[Path, typer.Option(help="Dataset folder made by `build`.")],
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page, with plots.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers as JSON.")] = None,
) -> None:
    """Report on the data's quality: drops, duplicates, leaks, statistics of each source, licences."""
    from rich.console import Console
    from rich.text import Text

    from dataset_builders.common.file_kinds import HTML_FILE, json_kind
    from dataset_builders.common.outputs import optional_file
    from dataset_builders.quality.report.read import read_report

    console, errors = Console(), Console(stderr=True)
    report_kind = json_kind("a quality report as JSON", "dataset", "disagreements", "statistics")
    with (
        optional_file(html, HTML_FILE) as page_file,
        optional_file(json_file, report_kind) as figures_file,
        errors.status("counting") as status,
    ):
        report = read_report(data, lambda name: status.update(f"counting {name.replace('_', ' ')}"))
        if page_file is not None:
            from dataset_builders.quality.report.page import page

            status.update("drawing")
            page_file.write_text(page(report), encoding="utf-8")
        if figures_file is not None:
            figures_file.write_text(report.to_json(), encoding="utf-8")
    _print(console, report)
    for line in report.disagreements:
        errors.print(Text.assemble(("warning: ", "yellow"), line), soft_wrap=True)
    if html is None:
        console.print(Text("With plots, examples and frequent words: add --html FILE"), soft_wrap=True)
    for path in (html, json_file):
        if path is not None:
            console.print(Text(f"written: {path}"), soft_wrap=True)
    if report.disagreements:
        sys.exit(1)


def _print(console: Console, report: QualityReport) -> None:
    from rich.text import Text

    from dataset_builders.quality.report.page import sections

    for section in sections(report):
        tables = [table for table in section.tables if not table.page_only]
        if section.tables and not tables:
            continue
        console.print(Text(section.title, style="bold"))
        for table in tables:
            _print_table(console, table)
        if section.note:
            console.print(Text(section.note, style="dim"))
        console.print()


def _print_table(console: Console, table: Table) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    from dataset_builders.common.terminal import visible

    title = table.title or None
    output = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=0, title=title, title_justify="left")
    rows = list(table.texts())
    for number, (heading, spec) in enumerate(table.columns.items()):
        # headings may break at blanks, numbers and names never
        widest = max(map(len, [*heading.split(), *(cells[number] for cells in rows)]))
        output.add_column(
            heading,
            justify="right" if spec else "left",
            min_width=widest if spec or number < 2 else None,
            overflow="fold",
        )
    for cells in rows:
        output.add_row(*(Text(visible(text)) for text in cells), style="bold" if "all" in cells[:2] else None)
    console.print(output)
