"""The command `formats`, and what `build` says about own data before and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dataset_builders.common.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console

    from dataset_builders.own_data.data import OwnData

_SHOWN_FILES = 12

_PLAIN = (
    ("json, jsonl, table", "pairs: question and answer in JSON, JSON lines, CSV, TSV, parquet, xlsx, ods"),
    ("json, jsonl, table", "dialogues: a list of turns in each record, or one row per turn with the dialogue's id"),
    ("json, jsonl, table", "labelled texts: text and label"),
    ("prefixed-lines", "lines that begin with a role: `User: ...`, `Q: ...`, `Клиент: ...`"),
    ("named-lines", "lines that begin with a name: `Ann: ...`, with --system-speaker"),
    ("dashed-lines", "lines that begin with a dash, user and system in turn; only if you say so with --format"),
    ("alternating-lines", "any lines, user and system in turn; only if you say so with --format"),
)


def formats(
    name: Annotated[str | None, typer.Argument(help="Show how this format looks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the formats of your own data that `build --own` recognises, or show how one of them looks."""
    import json

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dataset_builders.common.errors import DataError
    from dataset_builders.own_data.formats.registry import all_formats

    layouts = all_formats()
    if as_json:
        keys = ("name", "title", "rows", "looks", "checked", "roles")
        rows = [{key: getattr(f, key) for key in keys} for f in layouts if name in (None, f.name)]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    console = Console()
    if name is not None:
        layout = next((f for f in layouts if f.name == name), None)
        if layout is None:
            raise DataError(f"no format {name!r}; expected one of {', '.join(f.name for f in layouts)}")
        console.print(Text(f"{layout.title}: {layout.rows}"))
        for place, content in layout.looks:
            console.print(Text.assemble((place, "bold"), "\n  ", content.replace("\n", "\n  ")), soft_wrap=True)
        if layout.roles:
            console.print(Text(f"roles: {layout.roles}"), soft_wrap=True)
        console.print(Text(f"checked against: {layout.checked}"), soft_wrap=True)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=0, caption="how one looks: dialogue-cube formats NAME")
    table.add_column("format", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("rows")
    for f in layouts:
        table.add_row(f.name, f.title, f.rows)
    table.add_section()
    for form, what in _PLAIN:
        table.add_row(form, what, "intents" if what.startswith("labelled") else "dialogues")
    console.print(table)
    console.print(
        Text(
            "Each may be compressed (gz, bz2, xz, zst), in a zip or tar archive, in a folder, or on the Hub "
            "(--own hf://datasets/ORG/NAME). When it is none of these, name the columns, or use a mapping file: "
            "dialogue-cube build --example-mapping"
        ),
        soft_wrap=True,
    )


def print_summary(console: Console, loaded: Sequence[OwnData]) -> None:
    """Print what each file was taken for, with three example rows."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from dataset_builders.own_data.preview import summarise

    for data in loaded:
        table = Table(title=f"{data.name}: what its files were taken for", title_justify="left", box=box.SIMPLE_HEAD)
        for column in ("file", "taken for", "columns", "roles", "order", "split", "language"):
            table.add_column(column, overflow="fold")
        shown = [summarise(data, own) for own in data.files[:_SHOWN_FILES]]
        for s in shown:
            cells = (s.file, s.taken_for, s.columns, s.roles, s.order, s.split, s.language)
            table.add_row(*(Text(visible(text)) for text in cells))
        if more := len(data.files) - len(shown):
            table.add_row(f"and {more:,} more", *[""] * 6)
        console.print(table)
        if data.skipped:
            names = "; ".join(f"{s.file} ({s.reason})" for s in data.skipped[:3])
            more_names = f" and {len(data.skipped) - 3:,} more" if len(data.skipped) > 3 else ""
            console.print(Text(visible(f"left out: {names}{more_names}")), soft_wrap=True)
        examples = [line for s in shown for line in s.examples][:3]
        for number, line in enumerate(examples, start=1):
            console.print(Text(visible(f"row {number}: {line}")), soft_wrap=True)


def print_left_out(console: Console, counts: Counter[str]) -> None:
    """Print how many messages were left out or cleaned, if there were any."""
    from rich.text import Text

    words = {
        "media": "placeholders of media left out",
        "notices": "notices left out",
        "tools": "tool calls left out",
        "prompts": "system prompts moved to the scenario",
        "html": "texts of HTML turned into plain text",
        "names": "names of participants replaced by roles",
    }
    parts = [f"{counts[key]:,} {what}" for key, what in words.items() if counts[key]]
    if parts:
        console.print(Text(f"your data: {'; '.join(parts)} (--keep, --keep-names)"), soft_wrap=True)
