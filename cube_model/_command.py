"""What the package's commands share: running under `accelerate launch`, and the command line of a result."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path

from cube_model.errors import ModelError
from dataset_builders.common.command_line import run_command_line
from dataset_builders.common.command_options import option_words
from dataset_builders.common.locations import A_CORE, A_DATASET, is_folder
from dataset_builders.common.options import Options


def run_launched(app: Callable[[], object]) -> None:
    """Run a command that may run in several processes; only the first one logs and shows errors.

    Args:
        app: The command; see `run_command_line` for the exit codes.
    """
    is_main = os.environ.get("RANK", "0") == "0"
    show_log(logging.INFO if is_main else logging.ERROR)
    run_command_line(app, is_main=is_main, interrupted="interrupted; go on with --resume")


def show_log(level: int = logging.INFO) -> None:
    """Print what the package logs to the error stream."""
    from rich.console import Console
    from rich.logging import RichHandler

    console = Console(stderr=True)
    logging.getLogger("cube_model").addHandler(RichHandler(console=console, show_time=False, show_path=False))
    logging.getLogger("cube_model").setLevel(level)


def command_line(command: str, config: Options) -> str:
    """A command as one would type it, with every option that decides the figures.

    Args:
        command: Its name after `dialogue-cube`.
        config: Its options. Local paths are shortened to their last part.
    """
    return " ".join(["dialogue-cube", command, *map(_shown, option_words(config)), "--json FILE"])


def check_folder_of(json_file: Path) -> None:
    """Check that the folder of a results file exists: a mistyped one would be created beside hours of results.

    Raises:
        ModelError: It does not.
    """
    folder = json_file.absolute().parent
    if not folder.is_dir():
        raise ModelError(f"--json {json_file}: the folder {folder} does not exist; create it first")


def check_locations(data: str | None = None, model: str | None = None) -> None:
    """Check the names of a dataset and a core before torch is imported, which takes seconds.

    Raises:
        ModelError: One is neither a folder nor the name of a Hub repository.
    """
    if data is not None:
        is_folder(data, A_DATASET, error=ModelError)
    if model is not None:
        is_folder(model, A_CORE, error=ModelError)


def _shown(word: str) -> str:
    return shlex.quote(Path(word).resolve().name if Path(word).exists() else word)
