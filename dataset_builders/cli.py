"""Commands for data: `sources`, `build`, `download` and `sample`; `register` adds those of the other packages."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataset_builders.common.command_options import takes_options
from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import ExecutionSettings
from dataset_builders.corpus.settings import DatasetSettings, RunSettings, Selection
from dataset_builders.dashboard.command import dashboard
from dataset_builders.dashboard.map.command import map_texts
from dataset_builders.database import cli as database
from dataset_builders.notebooks.cli import notebook
from dataset_builders.own_data.cli import formats
from dataset_builders.own_data.settings import OwnSettings
from dataset_builders.pipeline.cli import pipeline
from dataset_builders.quality.cli import quality
from dataset_builders.sources.cli import complete_source, download, download_bars, sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from dataset_builders.corpus.counts import SourceCounts


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME[:CONFIG]]...",
        help="Sources (see `sources`). Default: all in the raw folder.",
        autocompletion=complete_source,
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
    app.command("map")(map_texts)


def _mapping(value: bool) -> None:
    if value:
        from dataset_builders.own_data.settings import EXAMPLE_MAPPING

        typer.echo(EXAMPLE_MAPPING, nl=False)
        raise typer.Exit


@takes_options()
def build(
    run: RunSettings,
    execution: ExecutionSettings,
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
    bars = download_bars() if raw_dir is None and names else nullcontext()
    with bars as advance, step_bar() as progress:
        results = build_dataset(
            names or [],
            raw_dir,
            out,
            options,
            own=builders,
            download_progress=advance,
            progress=progress,
            num_proc=run.num_proc,
            execution=execution,
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


def sample(
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Raw folder to write, for `build --raw-dir`.")],
    seed: Annotated[int, typer.Option(help="Random seed of the dialogues.")] = 0,
) -> None:
    """Write an invented sample: raw files of every source in its original format, for trials without a network."""
    from dataset_builders.sample import write_sample

    write_sample(to, seed)
    typer.echo(f"the invented sample is in {to}")
