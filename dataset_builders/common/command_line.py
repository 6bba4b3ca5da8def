"""How every command of the project ends: done, or with one line that says what to do."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

from dataset_builders.common.endings import orderly_ending
from dataset_builders.common.errors import DialogueCubeError
from dataset_builders.common.files import describe_os_error
from dataset_builders.common.terminal import visible

_MAIN_FIRST = 20
"""Seconds that the other processes wait before they print an error, which is then theirs alone."""

_OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""New objects after which Python looks for cycles among them; its default is 700."""


def run_command_line(app: Callable[[], object], *, is_main: bool = True, interrupted: str | None = None) -> None:
    """Run a command and turn its errors into one line on the error stream.

    Exits with 1 on an error that the user can put right; with 128 plus the number of the signal that interrupts it: 130
    after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP. typer exits with 2 on wrong usage.

    Args:
        app: The command.
        is_main: Whether this process prints for all that run the same command.
        interrupted: Message after an interruption.
    """
    # modules, rows and settings are many objects without cycles; searching them took a tenth of the time of a command
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        with orderly_ending():
            app()
    except (DialogueCubeError, OSError) as error:  # OSError: a full disk, a folder that must not be written
        if not is_main:
            # a launcher ends all processes as soon as one fails: leave the main one time to print the same error
            time.sleep(_MAIN_FIRST)
        _print_error(describe_os_error(error) if isinstance(error, OSError) else str(error))
        sys.exit(1)
    except SystemExit as end:
        if is_main and interrupted and isinstance(end.code, int) and end.code > 128:
            sys.stderr.write(f"{interrupted}\n")
        raise


def _print_error(message: str) -> None:
    from rich.console import Console
    from rich.text import Text

    text = Text.assemble(("error: ", "bold red"), visible(message))
    Console(stderr=True).print(text, soft_wrap=True, highlight=False)
