"""The command line `dialogue-cube`: the commands of the three packages, with errors of one line."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import cube_model.cli
import cube_model.demo
import dataset_builders.cli
import push_scripts.cli
from cube_model.machine import versions
from dataset_builders.common.command_line import run_command_line

# Arrow's own allocator does not return freed memory: with it a build takes a sixth more memory, in the same time
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

app = typer.Typer(
    help="Dialogue corpora -> one dataset on the Hub -> a 3D cubic core that finds the right answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for package in (dataset_builders.cli, cube_model.cli, push_scripts.cli):
    package.register(app)
app.command()(cube_model.demo.demo)


def _show_versions(value: bool) -> None:
    if value:
        for name, number in versions().items():
            typer.echo(f"{name} {number}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_versions,
            is_eager=True,
            help="Show the versions that affect results.",
        ),
    ] = False,
) -> None:
    """Declare the options before the command."""


def main() -> None:
    """Run a command; see `run_command_line` for the exit codes."""
    run_command_line(app)


if __name__ == "__main__":
    main()
