"""Running a command under `accelerate launch`: one voice out of several processes, a user's error in one line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from cube_model.disk import what_failed
from cube_model.errors import ModelError


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
