"""A database file written aside, so that what stands in its place is whole at any time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer at a time, over processes and threads; another one waits. A lock does not outlive its process."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


@contextmanager
def written_file(path: Path, *, copy: bool = False) -> Iterator[Path]:
    """A hidden file beside `path` that takes its place at the end, or vanishes when anything fails.

    Args:
        path: The file to be; writers hold `locked` on it.
        copy: Start with what stands there now.
    """
    aside = path.with_name(f".{path.name}.building")
    leftovers = [aside, aside.with_name(f"{aside.name}.wal")]
    for leftover in leftovers:  # of a writer that was killed
        leftover.unlink(missing_ok=True)
    try:
        if copy:
            shutil.copyfile(path, aside)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
