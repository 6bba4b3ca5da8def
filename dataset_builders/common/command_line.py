"""How every command of the project ends: done, or with one line that says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dataset_builders.common.errors import DialogueCubeError
from dataset_builders.common.files import describe_os_error


def run_command_line(app: Callable[[], object], *, is_main: bool = True, interrupted: str | None = None) -> None:
    """Run a command and turn its errors into one line on the error stream.

    Exits with 1 on an error that the user can put right, with 130 when interrupted; typer exits with 2 on wrong usage.

    Args:
        app: The command.
        is_main: Whether this process speaks for all: of several processes that run the same command, one does.
        interrupted: What to say after an interruption.
    """
    try:
        app()
    except (DialogueCubeError, OSError) as error:  # OSError: a full disk, a folder that must not be written
        if is_main:
            _print_error(describe_os_error(error) if isinstance(error, OSError) else str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        if is_main and interrupted:
            sys.stderr.write(f"{interrupted}\n")
        sys.exit(130)


def _print_error(message: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True, highlight=False)
