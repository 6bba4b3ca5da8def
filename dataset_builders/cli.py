"""Commands for data: `sources`, `build`, `download` and `sample`; `register` adds those of the other packages."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataset_builders.common.command_options import takes_options
from dataset_builders.common.errors import DataError
from dataset_builders.corpus.settings import DatasetSettings, RunSettings, Selection
from dataset_builders.dashboard.command import dashboard
from dataset_builders.database import cli as database
from dataset_builders.notebooks.cli import notebook
from dataset_builders.own_data.cli import formats
from dataset_builders.own_data.settings import OwnSettings
from dataset_builders.pipeline.cli import pipeline
from dataset_builders.quality.cli import quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from dataset_builders.corpus.counts import SourceCounts
    from dataset_builders.sources.download import Progress
    from dataset_builders.sources.source import SourceFile


def _complete_source(incomplete: str) -> list[str]:
    """Offer the names of sources to the shell, and their configs after a colon."""
    from dataset_builders.sources.registry import builders

    infos = [builder.INFO for builder in builders().values()]
    names = [info.name for info in infos]
    if ":" in incomplete:
        names = [f"{info.name}:{config}" for info in infos for config in info.configs]
    return [name for name in names if name.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME[:CONFIG]]...",
        help="Sources (see `sources`). Default: all in the raw folder.",
        autocompletion=_complete_source,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(sources)
    app.command()(build)
    app.command()(formats)
    app.command()(pipeline)
    app.command()(quality)
    app.command()(download)
    app.command()(sample)
    database.register(app)
    app.command()(notebook)
    app.command()(dashboard)


def sources(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the sources with their kind, languages, licence and official counts."""
    import json

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from dataset_builders.licenses import get_license
    from dataset_builders.sources.registry import builders

    infos = [builder.INFO for builder in builders().values()]
    if as_json:
        rows = [
            {
                "name": i.name,
                "title": i.title,
                "kind": i.kind,
                "languages": list(i.languages),
                "license": i.license,
                "license_evidence": i.license_evidence,
                "license_disputed": i.license_disputed,
                "redistributable": i.redistributable,
                "commercial_use": get_license(i.license).commercial,
                "configs": list(i.configs),
                "official_counts": i.counts,
                "homepage": i.homepage,
            }
            for i in infos
        ]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    table = Table(
        box=box.SIMPLE_HEAD, padding=0, caption="size of the first config, the default; * disputed, see --json"
    )
    table.add_column("name", no_wrap=True)
    for column in ("kind", "languages", "licence", "pass\non?", "com-\nmercial?", "configs"):
        table.add_column(column, overflow="fold")
    table.add_column("official size", no_wrap=True)
    for kind in ("dialogues", "downstream"):
        for i in (info for info in infos if info.kind == kind):
            languages = " ".join(i.languages) if len(i.languages) < 4 else f"{len(i.languages)} langs"
            size = "\n".join(f"{split} {next(iter(n.values())):,}" for split, n in i.counts[i.default_config].items())
            redistributable = "yes" if i.redistributable else "no"
            license_name = i.license.removeprefix("LicenseRef-") + ("*" if i.license_disputed else "")
            commercial = get_license(i.license).commercial
            kind_name = "intents" if i.kind == "downstream" else i.kind
            configs = " ".join(i.configs)
            table.add_row(i.name, kind_name, languages, license_name, redistributable, commercial, configs, size)
        table.add_section()
    Console().print(table)


def _mapping(value: bool) -> None:
    if value:
        from dataset_builders.own_data.settings import EXAMPLE_MAPPING

        typer.echo(EXAMPLE_MAPPING, nl=False)
        raise typer.Exit


@takes_options()
def build(
    run: RunSettings,
    selection: Selection,
    dataset: DatasetSettings,
    own: OwnSettings | None,
    names: Names = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what your own data are taken for, and write nothing.")
    ] = False,
    example_mapping: Annotated[
        bool,
        typer.Option(
            "--example-mapping", help="Print an example of a --mapping file.", is_eager=True, callback=_mapping
        ),
    ] = False,
) -> None:
    """Build the dataset folder: parquet files of three configs and a card, laid out as the Hub repository.

    Open it with `load_dataset(OUT, "dialogues" | "pairs" | "downstream")`.
    """
    import datasets
    from rich.console import Console
    from rich.text import Text

    from dataset_builders.common.progress import step_bar
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.corpus.options import build_options
    from dataset_builders.own_data.cli import print_left_out, print_summary

    options = build_options(dataset, selection)
    console, errors = Console(), Console(stderr=True)
    loaded = own.load() if own else []
    print_summary(console, loaded)
    if own:
        own.check(loaded)
    if dry_run:
        if not loaded:
            raise DataError("--dry-run shows what own data are taken for; name some with --own")
        return
    builders = own.builders(loaded) if own else []
    raw_dir, out = run.raw_dir, run.out
    if out is None:
        raise typer.BadParameter("missing; name the folder to write", param_hint="'--out'")
    datasets.utils.logging.set_verbosity_error()
    if not sys.stderr.isatty():  # no progress bars in log files
        datasets.disable_progress_bars()
    download_bars = _download_bars() if raw_dir is None and names else nullcontext()
    with download_bars as advance, step_bar() as progress:
        results = build_dataset(
            names or [],
            raw_dir,
            out,
            options,
            own=builders,
            download_progress=advance,
            progress=progress,
            num_proc=run.num_proc,
            warn=lambda line: errors.print(Text.assemble(("warning: ", "yellow"), line), soft_wrap=True),
        )
    _print_counts(console, results)
    print_left_out(console, sum((builder.tally.left_out for builder in builders), Counter()))
    kinds = ("dialogues", "pairs") if any(r.info.kind == "dialogues" for r in results) else ("downstream",)
    console.print(Text(f"See what was dropped and why: dialogue-cube quality --data {out}"), soft_wrap=True)
    calls = " or ".join(f'load_dataset("{out}", "{kind}")' for kind in kinds)
    console.print(Text(f"The dataset is ready. Open it: {calls}"), soft_wrap=True)


def _print_counts(console: Console, results: Iterable[SourceCounts]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=0, caption="dropped: rows of the source, over all splits")
    table.add_column("source", no_wrap=True)
    table.add_column("split", no_wrap=True)
    titles = {"dialogues": "dialogues", "utterances": "turns", "pairs": "pairs", "rows": "intents"}
    for title in (*titles.values(), "dropped"):
        table.add_column(title, justify="right")
    for result in results:
        name = result.info.name if len(result.info.configs) == 1 else f"{result.info.name}:{result.config}"
        dropped = sum(tally.dropped.total() for tally in result.rows.values())
        for number, (split, counts) in enumerate(result.written.items()):
            cells = (f"{counts[key]:,}" if key in counts else "" for key in titles)
            table.add_row("" if number else name, split, *cells, "" if number else f"{dropped:,}")
    console.print(table)


def download(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME[:CONFIG]...",
            help="Sources to download (see `sources`).",
            autocompletion=_complete_source,
        ),
    ],
    to: Annotated[Path, typer.Option(help="Raw folder, for `build --raw-dir`.")],
) -> None:
    """Download raw files from pinned addresses and verify them by their digests."""
    from dataset_builders.sources.download import download as fetch

    with _download_bars() as advance:
        files = fetch(names, to, advance)
    typer.echo(f"{len(files)} files are in {to}")


@contextmanager
def _download_bars() -> Iterator[Progress]:
    """A progress bar for each file, on the error stream."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    tasks: dict[SourceFile, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def advance(file: SourceFile, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file.path)
            bars.update(tasks[file], completed=done, total=total)

        yield advance


def sample(
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Raw folder to write, for `build --raw-dir`.")],
    seed: Annotated[int, typer.Option(help="Random seed of the dialogues.")] = 0,
) -> None:
    """Write an invented sample: raw files of every source in its original format, for trials without a network."""
    from dataset_builders.sample import write_sample

    write_sample(to, seed)
    typer.echo(f"the invented sample is in {to}")
