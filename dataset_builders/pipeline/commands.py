"""Steps that are commands: run as a person would type them, and ended when the pipeline ends."""

from __future__ import annotations

import ctypes
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

from dataset_builders.common.errors import DataError

_PATIENCE = 60.0
"""Seconds that an interrupted command has to finish."""

_PROGRAMS = {
    "dialogue-cube": ["dialogue_cube"],
    "accelerate": ["accelerate.commands.accelerate_cli"],
    "python": [],
}
"""Program -> module that this interpreter runs for it."""


def run_command(words: Sequence[object], show: Callable[[str], None]) -> None:
    """Run a command of this environment; what it prints goes to the terminal.

    Args:
        words: Program and arguments.
        show: Called with the command as a person would type it.

    Raises:
        DataError: It failed; it has printed its own message.
    """
    program, *arguments = (str(word) for word in words)
    shown = shlex.join([program, *arguments])
    show(shown)
    modules = [word for module in _PROGRAMS[program] for word in ("-m", module)]
    with subprocess.Popen([sys.executable, *modules, *arguments], preexec_fn=_dies_with_us()) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # the terminal stopped the command too: let it finish
            process.wait(_PATIENCE)
            raise
    if code:
        raise DataError(f"`{shown}` failed with exit code {code}; see its message above")


def _dies_with_us() -> Callable[[], None] | None:
    """Linux stops the command when the pipeline dies, however that happens."""
    if sys.platform != "linux":
        return None
    set_parent_death_signal = 1
    return partial(ctypes.CDLL(None).prctl, set_parent_death_signal, signal.SIGTERM)
