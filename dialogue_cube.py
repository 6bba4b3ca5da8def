"""The project under one name: the public names of its three packages, its version, and the command `dialogue-cube`.

>>> import dialogue_cube
>>> dialogue_cube.CubeTrainer.__module__
'cube_model.training.trainer'
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

import cube_model.cli
import cube_model.demo
import dataset_builders.cli
import push_scripts.cli
from cube_model.machine import versions
from dataset_builders.common.command_line import run_command_line

if TYPE_CHECKING:
    from cube_model import *  # noqa: F403
    from dataset_builders import DataError as DataError
    from dataset_builders import build_dataset as build_dataset
    from dataset_builders import builders as builders
    from dataset_builders import get_builder as get_builder
    from dataset_builders import write_sample as write_sample
    from dataset_builders.common.errors import DialogueCubeError as DialogueCubeError
    from push_scripts.errors import PushError as PushError
    from push_scripts.push_dataset import push_dataset as push_dataset
    from push_scripts.push_metric import push_metric as push_metric
    from push_scripts.push_model import push_model as push_model
    from push_scripts.push_options import PushOptions as PushOptions
    from push_scripts.push_space import push_space as push_space

_MODULES = {
    **dict.fromkeys(cube_model.__all__, "cube_model"),
    **dict.fromkeys(dataset_builders.__all__, "dataset_builders"),
    "DialogueCubeError": "dataset_builders.common.errors",
    "PushError": "push_scripts.errors",
    "PushOptions": "push_scripts.push_options",
    "push_dataset": "push_scripts.push_dataset",
    "push_metric": "push_scripts.push_metric",
    "push_model": "push_scripts.push_model",
    "push_space": "push_scripts.push_space",
}

__all__ = sorted(_MODULES)

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


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return versions()["dialogue-cube"]
    if name not in _MODULES:
        raise AttributeError(f"module 'dialogue_cube' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


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
