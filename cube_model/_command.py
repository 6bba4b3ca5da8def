"""Common parts of the commands: running in several processes, the command line of a result, early checks."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.command_line import run_command_line
from dataset_builders.common.command_options import option_words
from dataset_builders.common.endings import end_with_launcher
from dataset_builders.common.locations import A_CORE, A_DATASET, is_folder
from dataset_builders.common.options import Options


def run_launched(app: Callable[[], object], interrupted: str = "continue with --resume") -> None:
    """Run a command in one of several processes, which end with their launcher; only the first one logs and prints.

    Args:
        app: The command. For the exit codes see `run_command_line`.
        interrupted: What to do after an interruption, for the message.
    """
    end_with_launcher()
    is_main = os.environ.get("RANK", "0") == "0"
    show_log(logging.INFO if is_main else logging.ERROR)
    try:
        run_command_line(app, is_main=is_main, interrupted=f"interrupted; {interrupted}")
    except SystemExit as end:  # as typer ends a command, also one that succeeds
        if not end.code:
            _leave_process_group()
        raise


def _leave_process_group() -> None:
    """Leave the processes of this run: one that exits while threads of the group run may abort, after all its work."""
    torch: Any = sys.modules.get("torch")  # a command that did not import it is in no group
    if torch and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def show_log(level: int = logging.INFO) -> None:
    """Print the log of this package to the error stream.

    Args:
        level: Lowest level to print.
    """
    from rich.console import Console
    from rich.logging import RichHandler

    console = Console(stderr=True)
    logging.getLogger("cube_model").addHandler(RichHandler(console=console, show_time=False, show_path=False))
    logging.getLogger("cube_model").setLevel(level)


def command_line(command: str, config: Options, output: str = "--json FILE") -> str:
    """Return the command line of a result, with all options that affect its figures.

    Args:
        command: Name of the command after `dialogue-cube`.
        config: Options of the command. Local paths are shortened to their last part.
        output: Option of the output, without the user's path.
    """
    return " ".join(["dialogue-cube", command, *map(_without_folders, option_words(config)), output])


def check_folder_of(json_file: Path) -> None:
    """Check that the folder of a results file exists, so that a typing error does not create a new one.

    Args:
        json_file: Path of the results file.

    Raises:
        ModelError: The folder does not exist.
    """
    folder = json_file.absolute().parent
    if not folder.is_dir():
        raise ModelError(f"--json {json_file}: the folder {folder} does not exist; create it first")


def check_locations(data: str | None = None, model: str | None = None) -> None:
    """Check the names of a dataset and a core before the import of torch, which takes seconds.

    Args:
        data: Dataset folder or `ORG/NAME`.
        model: Core folder or `ORG/NAME`.

    Raises:
        ModelError: A name is neither a folder nor that of a Hub repository.
    """
    if data is not None:
        is_folder(data, A_DATASET, error=ModelError)
    if model is not None:
        is_folder(model, A_CORE, error=ModelError)


def _without_folders(word: str) -> str:
    return shlex.quote(Path(word).resolve().name if Path(word).exists() else word)
