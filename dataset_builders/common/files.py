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
"""Seconds: a temporary folder younger than this may not hold its lock yet."""

_LITTLE = 100_000_000
"""Bytes. What cannot be written while less is free is taken to lack room: weights of an encoder need about as much."""


@contextmanager
def exclusive(lock: Path, busy: Callable[[str], Exception], *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that goes with its process, however that ends; the file is removed at the end.

    Args:
        lock: The file; its folder is made when missing.
        busy: Makes the error when another process holds it, from that process's name.
        wait: Wait for it instead.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock, timeout=-1 if wait else 0, thread_local=False)
    try:
        while not held.is_locked:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # the holder removed the folder in between
                held.acquire()
    except Timeout:
        raise busy(_holder(lock)) from None
    try:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
        lock.write_text(f"process {os.getpid()} ({command})", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # while it is held: a process that waits for it notices and makes a new one
            lock.unlink()
        held.release()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for temporary files. It goes at the end; those of killed runs go when the next one begins.

    Yields:
        The empty folder, below the system's folder for temporary files.
    """
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):  # of another user, or somebody else is removing it
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
    """Write a small file so that it is whole or not there; the caller sees to it that nobody else writes it.

    Args:
        path: The file; its folder is made when missing.
        text: Its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    synchronise(aside)
    aside.replace(path)
    synchronise(path.parent, below=False)


def make_readable(place: Path) -> None:
    """Give files that a library made for their owner alone the rights of any new file.

    safetensors writes to a temporary file of mode 600, which would keep a group from reading a model.

    Args:
        place: A file, or a folder with its files.
    """
    for path in [place, *place.rglob("*")] if place.is_dir() else [place]:
        if path.is_file() and not path.is_symlink() and not path.stat().st_mode & 0o077:
            path.chmod(0o666 & ~_umask())


def _umask() -> int:
    """The process's mask of rights; reading it elsewhere than in Linux means to set it for a moment."""
    with suppress(OSError, ValueError, StopIteration):
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in status if line.startswith("Umask:")).split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def synchronise(place: Path, *, below: bool = True) -> None:
    """Have the disk hold a file or folder: only then may a rename declare it finished.

    Args:
        place: The file or folder.
        below: Everything below a folder, too.
    """
    if below and place.is_dir():
        for path in place.rglob("*"):
            if not path.is_symlink():
                _synchronise(path)
    _synchronise(place)


def exchange(one: Path, other: Path, spare: Path) -> Path:
    """Let two folders of one file system change places: in one step where the system can, else in two.

    Args:
        one: A folder.
        other: Another folder.
        spare: A free name, for the second way: a run that is killed between the two steps leaves `other` there.

    Returns:
        Where the former `other` is now: `one` or `spare`.
    """
    if _rename(one, other, linux=2, mac=2):  # RENAME_EXCHANGE, RENAME_SWAP
        return one
    other.rename(spare)
    one.rename(other)
    return spare


def rename_exclusively(one: Path, other: Path) -> None:
    """Rename to a free name.

    Raises:
        OSError: The name is taken.
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
        return  # only files can be synchronised there
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no such thing
            raise
    finally:
        os.close(handle)


_NOT_POSSIBLE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV)
"""Errors of systems and file systems that have no renames with flags."""


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
    """The system's rename with flags: Python has none."""
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
    """Writes into a folder; what fails for want of room becomes an error that says so.

    Args:
        folder: Where it goes; need not exist yet.
        advice: What to do once there is room.
        raises: The error of a full disk.

    Raises:
        Exception: `raises`, when the disk is full.
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
    """What the operating system refused, in one line, and what to do where the disk is full."""
    if error.errno != errno.ENOSPC:
        return f"{error.filename or 'input/output'}: {error.strerror or error}"
    place = f"{error.filename}: " if error.filename else ""
    return (
        f"{place}no space left on a disk; make room, or write to another one: the output by its option, caches by "
        "HF_HOME and DIALOGUE_CUBE_CACHE, temporary files by TMPDIR"
    )
