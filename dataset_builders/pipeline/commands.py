"""Run steps that are commands of other packages, and end them with the pipeline."""

from __future__ import annotations

import ctypes
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from dataset_builders.common.endings import is_terminated
from dataset_builders.common.errors import DataError

_PATIENCE = 60.0
"""Maximum time for an interrupted command to finish, in seconds."""

_PROGRAMS = {
    "dialogue-cube": ["dialogue_cube"],
    "accelerate": ["accelerate.commands.accelerate_cli"],
    "python": [],
}
"""Module that this interpreter runs for each program."""


def run_command(words: Sequence[object], show: Callable[[str], None]) -> None:
    """Run a command of this environment; it prints to the terminal.

    Args:
        words: Program and arguments.
        show: Called with the command line as a user would type it.

    Raises:
        DataError: The command failed; it has printed its own message.
    """
    program, *arguments = (str(word) for word in words)
    line = shlex.join([program, *arguments])
    show(line)
    modules = [word for module in _PROGRAMS[program] for word in ("-m", module)]
    with subprocess.Popen([sys.executable, *modules, *arguments], preexec_fn=_dies_with_us()) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            if is_terminated():  # Ctrl-C reaches the command as well
                process.terminate()
            with suppress(subprocess.TimeoutExpired):  # let it clean up
                process.wait(_PATIENCE)
            process.kill()
            raise
    if code:
        raise DataError(f"`{line}` failed with exit code {code}; see its message above")


def _dies_with_us() -> Callable[[], None] | None:
    """Have Linux stop the command whenever the pipeline dies, even if it is killed."""
    if sys.platform != "linux":
        return None
    set_parent_death_signal = 1
    return partial(ctypes.CDLL(None).prctl, set_parent_death_signal, signal.SIGTERM)
