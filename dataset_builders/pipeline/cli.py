"""The command `pipeline`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dataset_builders.common.command_options import takes_options
from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import MachineSettings
from dataset_builders.common.options import option_of
from dataset_builders.corpus.settings import RunSettings
from dataset_builders.pipeline.config import PipelineConfig

CONFIG = "Config"
"""Panel of the help page."""

_KEEP_GOING = option_of(PipelineConfig.__dataclass_fields__["keep_going"])


@takes_options()
def pipeline(
    run: RunSettings,
    machines: MachineSettings,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME[:CONFIG]]...", help="Sources, see `sources`; by default all in the raw folder."),
    ] = None,
    keep_going: Annotated[
        bool | None,
        typer.Option(*_KEEP_GOING.flags, help=_KEEP_GOING.help, show_default="that of the config, else stop"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print which steps would run and why; write nothing.")
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
            help="Set any key of the config: dataset.quality=strict, train=true, train.epochs=3.",
            rich_help_panel=CONFIG,
        ),
    ] = None,
    example_config: Annotated[
        bool,
        typer.Option("--example-config", help="Print a config with every key and its meaning.", rich_help_panel=CONFIG),
    ] = False,
) -> None:
    """Bring everything up to date: sources, quality, pairs, dataset, database; optionally core, evaluation and push.

    A step runs only if its inputs have changed. A stopped or killed run continues after the last finished step when it
    is started again.
    """
    from dataset_builders.pipeline.config import example

    if example_config:
        typer.echo(example(), nl=False)
        return
    # the bars of `datasets` would disturb ours; set by variables because a run with nothing to do does not import it
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")
    from dataset_builders.pipeline.console import Console, print_plan, print_summary
    from dataset_builders.pipeline.pipeline import plan_pipeline, run_pipeline

    settings = _settings(run, machines, names, keep_going, config, assignments)
    if dashboard:
        _check_dashboard(settings)
    with Console() as console:
        outcomes = (plan_pipeline if dry_run else run_pipeline)(settings, console)
    if dry_run:
        print_plan(outcomes)
        return
    print_summary(outcomes, console.seconds, settings)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed:
        more = f"; {len(failed) - 1} more failed, see the table" if len(failed) > 1 else ""
        raise DataError(f"{failed[0].step} failed: {failed[0].why}{more}")
    if dashboard:
        from dataset_builders.common.options import effective
        from dataset_builders.pipeline.commands import run_command
        from dataset_builders.pipeline.context import Layout

        assert settings.out is not None
        teacher = ["--teacher", effective(settings.train, "teacher")] if settings.train else []
        run_command(
            ["dialogue-cube", "dashboard", "--database", Layout(settings.out).database, *teacher], console.command
        )


def _check_dashboard(settings: PipelineConfig) -> None:
    """Check the dashboard's requirements before any work begins."""
    from importlib.util import find_spec

    if not settings.database:
        raise DataError("--dashboard needs the database; the config says `database: false`")
    if find_spec("streamlit") is None:
        raise DataError("the dashboard needs streamlit; run: pip install 'dialogue-cube[dashboard]'")


def _settings(
    run: RunSettings,
    machines: MachineSettings,
    names: list[str] | None,
    keep_going: bool | None,
    config: Path | None,
    assignments: list[str] | None,
) -> PipelineConfig:
    """The config, overridden by the command line."""
    from dataclasses import replace

    settings = PipelineConfig.load(config) if config is not None else PipelineConfig()
    settings = settings.with_values(assignments or [])
    return replace(
        settings,
        sources=tuple(names) if names else settings.sources,
        raw_dir=run.raw_dir or settings.raw_dir,
        out=run.out or settings.out,
        num_proc=run.num_proc or settings.num_proc,
        executor=settings.executor if machines.executor == "local" else machines.executor,
        ray_address=machines.ray_address or settings.ray_address,
        keep_going=settings.keep_going if keep_going is None else keep_going,
    )
