"""Steps that are commands of their own: run as a person would type them, and gone when the pipeline is gone."""

from __future__ import annotations

import ctypes
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from dataset_builders.common.errors import DataError

_PATIENCE = 60.0
"""Seconds that a stopped command has to put its things in order."""

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
        show: Told the command as a person would type it.

    Raises:
        DataError: It failed; its own message stands above.
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
        raise DataError(f"`{shown}` failed with exit code {code}; its message stands above")


def options(settings: Any, leave_out: Sequence[str] = ()) -> list[str]:
    """Settings as options of a command: `max_pairs=3` -> `--max-pairs 3`; what is not set keeps its default."""
    words = []
    for f in fields(settings):
        value = getattr(settings, f.name)
        if value is None or value == () or value is False or f.name in leave_out:
            continue
        words.append(f"--{f.name.replace('_', '-')}")
        if value is not True:
            words.append(",".join(map(str, value)) if isinstance(value, tuple) else str(value))
    return words


def _dies_with_us() -> Callable[[], None] | None:
    """Linux: the command is told to stop when the pipeline dies, however that happens."""
    if sys.platform != "linux":
        return None
    set_parent_death_signal = 1
    return partial(ctypes.CDLL(None).prctl, set_parent_death_signal, signal.SIGTERM)
