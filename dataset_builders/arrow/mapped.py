"""Memory-mapped arrow files whose pages can be returned to the system."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

_FREE_TO_HOLD = 320 << 20
"""Bytes of memory that a process may take without giving any back; its modules alone take 250 MB."""


def mapped(path: str | Path, maps: list[mmap.mmap]) -> pa.Table:
    """The table in an arrow stream or file, memory-mapped by Python's `mmap`, which can give pages back.

    Args:
        path: Path of the file.
        maps: List to which the memory map is added.
    """
    with Path(path).open("rb") as file:
        maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    buffer = pa.py_buffer(maps[-1])
    is_file = maps[-1][:6] == b"ARROW1"
    return (pa.ipc.open_file(buffer) if is_file else pa.ipc.open_stream(buffer)).read_all()


def release(maps: Iterable[mmap.mmap]) -> None:
    """Return the pages of memory maps to the system; they are read again when needed."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for pages in maps:
            pages.madvise(mmap.MADV_DONTNEED)


def release_unused() -> None:
    """Return unused memory to the system: pyarrow and the C library would hold on to the peak of the last step.

    A process that takes less than `_FREE_TO_HOLD` keeps it, since the next step would have to ask for it again.
    """
    if sys.platform == "linux" and _resident() < _FREE_TO_HOLD:
        return
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):  # not in musl
        trim(0)


def _resident() -> int:
    """Bytes of memory that this process takes now, on Linux."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * mmap.PAGESIZE
