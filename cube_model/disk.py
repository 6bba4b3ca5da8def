"""A full disk is told as such: torch, safetensors and Arrow each raise errors of their own there."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cube_model.errors import ModelError

_LITTLE = 100_000_000
"""Bytes. What cannot be written while less is free is taken to lack room: weights of an encoder need about as much."""


@contextmanager
def needs_room(folder: Path, advice: str) -> Iterator[None]:
    """Writes into a folder; what fails for want of room becomes an error that says so.

    Args:
        folder: Where it goes; need not exist yet.
        advice: What to do once there is room.

    Raises:
        ModelError: The disk is full.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free >= _LITTLE and getattr(error, "errno", None) != errno.ENOSPC:
            raise
        cause = str(error).partition("\n")[0]
        room = f"{free / 1e6:.1f} MB are free on that disk"
        raise ModelError(f"{folder}: cannot be written ({cause}); {room}: make room, then {advice}") from error


def what_failed(error: OSError) -> str:
    """What the operating system refused, in one line, and what to do where the disk is full."""
    if error.errno != errno.ENOSPC:
        return f"{error.filename or 'input/output'}: {error.strerror or error}"
    place = f"{error.filename}: " if error.filename else ""
    return (
        f"{place}no space left on a disk; make room, or write to another one: the output by its option, caches by "
        "HF_HOME and DIALOGUE_CUBE_CACHE, temporary files by TMPDIR"
    )
