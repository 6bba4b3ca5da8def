"""`dialogue-cube pipeline`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataset_builders.common.command_options import takes_options
from dataset_builders.common.errors import DataError
from dataset_builders.corpus.settings import RunSettings

if TYPE_CHECKING:
    from dataset_builders.pipeline.config import PipelineConfig

CONFIG = "Config"
"""Panel of the help page."""


@takes_options()
def pipeline(
    run: RunSettings,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME[:CONFIG]]...", help="Sources, see `sources`; all in the raw folder when not given."
        ),
    ] = None,
    keep_going: Annotated[
        bool | None,
        typer.Option("--keep-going/--stop", help="Report a source that fails and build the rest. Default: stop."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run and why; nothing is written.")
    ] = False,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Open the dashboard at the end.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="YAML file; the command line overrides it.", rich_help_panel=CONFIG)
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any key of the config: dataset.quality=strict, train=true, train.epochs=3.",
            rich_help_panel=CONFIG,
        ),
    ] = None,
    example_config: Annotated[
        bool,
        typer.Option("--example-config", help="Print a config with every key and its meaning.", rich_help_panel=CONFIG),
    ] = False,
) -> None:
    """Bring everything up to date: sources, quality, pairs, dataset, database; core, evaluation and push when asked.

    A step runs only when what it depends on has changed. Stopped or killed at any point, it goes on from the last
    finished step when it is started again.
    """
    from dataset_builders.pipeline.config import example

    if example_config:
        typer.echo(example(), nl=False)
        return
    # one voice: the bars of `datasets` would be drawn into ours; it is not imported where nothing is to be done
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")
    from dataset_builders.pipeline.console import Console, print_plan, print_summary
    from dataset_builders.pipeline.pipeline import plan_pipeline, run_pipeline

    wanted = _wanted(run, names, keep_going, config, assignments)
    if dashboard:
        _check_dashboard(wanted)
    with Console() as console:
        outcomes = (plan_pipeline if dry_run else run_pipeline)(wanted, console)
    if dry_run:
        print_plan(outcomes)
        return
    print_summary(outcomes, console.seconds, wanted)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed:
        more = f"; {len(failed) - 1} more failed, see the table" if len(failed) > 1 else ""
        raise DataError(f"{failed[0].step} failed: {failed[0].why}{more}")
    if dashboard:
        from dataset_builders.common.options import effective
        from dataset_builders.pipeline.commands import run_command
        from dataset_builders.pipeline.context import Layout

        assert wanted.out is not None
        teacher = ["--teacher", effective(wanted.train, "teacher")] if wanted.train else []
        run_command(
            ["dialogue-cube", "dashboard", "--database", Layout(wanted.out).database, *teacher], console.command
        )


def _check_dashboard(wanted: PipelineConfig) -> None:
    """What the dashboard needs, before any time is spent."""
    from importlib.util import find_spec

    if not wanted.database:
        raise DataError("--dashboard needs the database; the config says `database: false`")
    if find_spec("streamlit") is None:
        raise DataError("the dashboard needs streamlit; install it: pip install 'dialogue-cube[dashboard]'")


def _wanted(
    run: RunSettings,
    names: list[str] | None,
    keep_going: bool | None,
    config: Path | None,
    assignments: list[str] | None,
) -> PipelineConfig:
    from dataclasses import replace

    from dataset_builders.pipeline.config import PipelineConfig

    wanted = PipelineConfig.load(config) if config is not None else PipelineConfig()
    wanted = wanted.with_values(assignments or [])
    return replace(
        wanted,
        sources=tuple(names) if names else wanted.sources,
        raw_dir=run.raw_dir or wanted.raw_dir,
        out=run.out or wanted.out,
        num_proc=run.num_proc or wanted.num_proc,
        keep_going=wanted.keep_going if keep_going is None else keep_going,
    )
