"""What the package's commands share: running under `accelerate launch`, lists of names, the command of a result."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataset_builders.common.command_line import run_command_line


def run_launched(app: Callable[[], object]) -> None:
    """Run a command that may run in several processes; only the first one logs and shows errors.

    Args:
        app: The command; see `run_command_line` for the exit codes.
    """
    from rich.console import Console
    from rich.logging import RichHandler

    is_main = os.environ.get("RANK", "0") == "0"
    console = Console(stderr=True)
    logging.getLogger("cube_model").addHandler(RichHandler(console=console, show_time=False, show_path=False))
    logging.getLogger("cube_model").setLevel(logging.INFO if is_main else logging.ERROR)
    run_command_line(app, is_main=is_main, interrupted="interrupted; go on with --resume")


def comma_list(names: str | None) -> list[str] | None:
    """`"sgd, woz"` -> `["sgd", "woz"]`; None and blanks -> None (all)."""
    return [name.strip() for name in (names or "").split(",") if name.strip()] or None


def command_line(command: str, options: Mapping[str, Any]) -> str:
    """A command as one would type it, with every option that decides the figures.

    Args:
        command: Its name behind `dialogue-cube`.
        options: Values by option name without dashes. Local paths are shortened to their last part, lists are joined by
            commas, and None is left out.
    """
    given = " ".join(f"--{name} {_shown(value)}" for name, value in options.items() if value is not None)
    return f"dialogue-cube {command} {given} --json FILE"


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return shlex.quote(",".join(str(each) for each in value))
    text = str(value)
    return shlex.quote(Path(text).resolve().name if Path(text).exists() else text)
