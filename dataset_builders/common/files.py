"""Files and folders that are whole or not there: locks, synchronised writes, safe renames, and full disks."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

_TEMPORARY = "dialogue-cube-"
_LOCK = "lock"
_YOUNG = 60
"""Seconds. A younger temporary folder may not have its lock yet."""

_LITTLE = 100_000_000
"""Bytes. If less is free, a failed write is attributed to a full disk; an encoder needs about as much."""


@contextmanager
def exclusive(lock: Path, busy: Callable[[str], Exception], *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that is released when the process ends, even if it is killed.

    Args:
        lock: Lock file, deleted at the end; its folder is created if missing.
        busy: Function that returns the error if another process holds the lock, given that process's name.
        wait: Whether to wait for the lock instead.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock, timeout=-1 if wait else 0, thread_local=False)
    try:
        while not held.is_locked:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # its holder has just deleted the folder
                held.acquire()
    except Timeout:
        raise busy(_holder(lock)) from None
    try:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
        lock.write_text(f"process {os.getpid()} ({command})", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # still locked, so that a waiting process notices and creates a new file
            lock.unlink()
        held.release()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a folder for temporary files and delete it at the end; also delete those of killed runs.

    Yields:
        Empty folder below the system's folder for temporary files.
    """
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):  # it belongs to another user, or another process is deleting it
            if time.time() - left.stat().st_mtime > _YOUNG and left.is_dir() and not left.is_symlink():
                with suppress(_Held), exclusive(left / _LOCK, _Held):
                    shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
    try:
        with exclusive(folder / _LOCK, _Held):
            (folder / "files").mkdir()
            yield folder / "files"
            shutil.rmtree(folder / "files", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Held(Exception):  # noqa: N818  a reason, not a failure
    """Another process uses a temporary folder."""


def write_whole(path: Path, text: str) -> None:
    """Write a small file atomically. The caller ensures that no other process writes it.

    Args:
        path: Path of the file; its folder is created if missing.
        text: Content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    synchronise(aside)
    aside.replace(path)
    synchronise(path.parent, below=False)


def make_readable(place: Path) -> None:
    """Give files that only their owner can read the permissions of an ordinary new file.

    safetensors writes to a temporary file of mode 600, so that a group could not read a model.

    Args:
        place: File, or folder with files.
    """
    for path in [place, *place.rglob("*")] if place.is_dir() else [place]:
        if path.is_file() and not path.is_symlink() and not path.stat().st_mode & 0o077:
            path.chmod(0o666 & ~_umask())


def _umask() -> int:
    """Return the umask of the process. Outside Linux, reading it requires setting it for a moment."""
    with suppress(OSError, ValueError, StopIteration):
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in status if line.startswith("Umask:")).split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def synchronise(place: Path, *, below: bool = True) -> None:
    """Flush a file or folder to the disk, which must happen before a rename marks it as finished.

    Args:
        place: File or folder.
        below: Whether to include everything below a folder.
    """
    if below and place.is_dir():
        for path in place.rglob("*"):
            if not path.is_symlink():
                _synchronise(path)
    _synchronise(place)


def exchange(one: Path, other: Path, spare: Path) -> Path:
    """Exchange two folders of one file system, in one step if the system supports it, otherwise in two.

    Args:
        one: Folder.
        other: Another folder.
        spare: Free path for the second way. A run that is killed between the two steps leaves `other` there.

    Returns:
        New path of the former `other`: `one` or `spare`.
    """
    if _rename(one, other, linux=2, mac=2):  # RENAME_EXCHANGE, RENAME_SWAP
        return one
    other.rename(spare)
    one.rename(other)
    return spare


def rename_exclusively(one: Path, other: Path) -> None:
    """Rename a file or folder, without ever replacing anything.

    Raises:
        OSError: The new name is taken.
    """
    if not _rename(one, other, linux=1, mac=4):  # RENAME_NOREPLACE, RENAME_EXCL
        if other.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(other))
        one.rename(other)


def _holder(lock: Path) -> str:
    with suppress(OSError):
        if text := lock.read_text(encoding="utf-8").strip():
            return text
    return "another process"


def _synchronise(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return  # Windows synchronises only files
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # the file system does not support it
            raise
    finally:
        os.close(handle)


_NOT_POSSIBLE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV)
"""Errors of systems and file systems that do not support renames with flags."""


def _rename(one: Path, other: Path, *, linux: int, mac: int) -> bool:
    call = _rename_call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other), linux if sys.platform == "linux" else mac) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_POSSIBLE:
        return False
    raise OSError(number, os.strerror(number), str(other))


@cache
def _rename_call() -> Callable[[bytes, bytes, int], int] | None:
    """Return the system's rename with flags, which Python does not offer; None if there is none."""
    try:
        library: Any = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            call = library.renamex_np
            call.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
            return lambda one, other, flag: int(call(one, other, flag))
        call, here = library.renameat2, -100  # AT_FDCWD
        call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
        return lambda one, other, flag: int(call(here, one, here, other, flag))
    except (OSError, AttributeError, TypeError):
        return None


@contextmanager
def needs_room(folder: Path, advice: str, raises: type[Exception]) -> Iterator[None]:
    """Report a full disk clearly while something is written.

    Args:
        folder: Folder that is written to; it need not exist yet.
        advice: What to do once there is space, for the message.
        raises: Type of the error.

    Raises:
        Exception: Of the type `raises`: the disk is full.
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
        raise raises(f"{folder}: cannot be written ({cause}); {room}: make room, then {advice}") from error


def describe_os_error(error: OSError) -> str:
    """Describe an error of the operating system in one line, with advice if a disk is full."""
    if error.errno != errno.ENOSPC:
        return f"{error.filename or 'input/output'}: {error.strerror or error}"
    place = f"{error.filename}: " if error.filename else ""
    return (
        f"{place}no space left on a disk; make room, or write to another one: the output by its option, caches by "
        "HF_HOME and DIALOGUE_CUBE_CACHE, temporary files by TMPDIR"
    )
