"""What the package's commands share: running under `accelerate launch`, lists of names, the command of a result."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.files import what_failed


def run_launched(app: Callable[[], object]) -> None:
    """Run the command; only the first process logs and shows errors.

    Exit codes: 1 on an error that the user can mend, 130 when stopped.
    """
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.markup import escape

    console = Console(stderr=True)
    first = os.environ.get("RANK", "0") == "0"
    logging.getLogger("cube_model").addHandler(RichHandler(console=console, show_time=False, show_path=False))
    logging.getLogger("cube_model").setLevel(logging.INFO if first else logging.ERROR)
    try:
        app()
    except (ModelError, OSError) as error:
        if first:
            message = what_failed(error) if isinstance(error, OSError) else str(error)
            console.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        if first:
            console.print("interrupted; go on with --resume", highlight=False)
        sys.exit(130)


def comma_list(names: str | None) -> list[str] | None:
    """`"sgd, woz"` -> `["sgd", "woz"]`; None and blanks -> None (all)."""
    return [name.strip() for name in (names or "").split(",") if name.strip()] or None


def command_line(command: str, options: Mapping[str, Any]) -> str:
    """A command as one would type it, with every option that decides the figures.

    Args:
        command: Its name behind `dialogue-cube`.
        options: Name without dashes -> value: of a local path only its last part is told, lists are joined by commas,
            None is left out.
    """
    given = " ".join(f"--{name} {_shown(value)}" for name, value in options.items() if value is not None)
    return f"dialogue-cube {command} {given} --json FILE"


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return shlex.quote(",".join(str(each) for each in value))
    text = str(value)
    return shlex.quote(Path(text).resolve().name if Path(text).exists() else text)
