"""One LMDB file with named tables, opened once a process, and made anew when it is damaged."""

from __future__ import annotations

import os
import shutil
import struct
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from cube_model.errors import ModelError

_MAP_SIZE = 1 << 38
"""Upper bound of the file, bytes: address space only, the file itself grows with what is in it."""

_MAX_TABLES = 1024

_HOUR = 3600  # seconds

_LOCK_BYTES = 1 << 16
"""More than the lock file of `_MAX_READERS` takes, 64 bytes each."""

_MAX_READERS = 512

Result = TypeVar("Result")


class OpenFile:
    """An open environment and its tables.

    Attributes:
        environment: Of the `lmdb` package.
        checked: Numbers of values that were found whole since the file was opened, for the user of the file.
        inode: Of the file: another one at the same path means that this one was replaced.
    """

    def __init__(self, path: Path) -> None:
        import lmdb

        path.mkdir(parents=True, exist_ok=True)
        _take_room(path / "lock.mdb")
        # metasync=False: after a power cut the last write may be missing, never broken
        self.environment = lmdb.open(
            str(path), map_size=_MAP_SIZE, metasync=False, max_readers=_MAX_READERS, max_dbs=_MAX_TABLES
        )
        self._tables: dict[bytes, Any] = {}
        self.checked: set[int] = set()
        needed = (self.environment.info()["last_pgno"] + 1) * self.environment.stat()["psize"]
        if (path / "data.mdb").stat().st_size < needed:  # reading beyond the end would kill the process
            self.environment.close()
            raise lmdb.CorruptedError(f"{path / 'data.mdb'}: shorter than it says")
        self.inode = (path / "data.mdb").stat().st_ino
        self.environment.reader_check()  # forget readers that were killed: they would keep old pages from being reused

    def table(self, name: bytes, create: bool = False) -> Any:
        """The handle of a table; None where there is none. Tables are emptied, never deleted: handles stay valid."""
        import lmdb

        if name not in self._tables:
            try:
                self._tables[name] = self.environment.open_db(name, create=create)
            except lmdb.NotFoundError:
                return None
        return self._tables[name]


def _take_room(lock: Path) -> None:
    """Have the disk hold the whole lock file: LMDB maps it, and a page without room would kill the process."""
    missing = _LOCK_BYTES - (lock.stat().st_size if lock.exists() else 0)
    if missing > 0:
        with lock.open("ab") as file:
            file.write(bytes(missing))


_OPEN: dict[tuple[int, str], OpenFile] = {}
"""LMDB forbids opening one file twice in a process, and using one after a fork: open files by process and path."""
_LOCK = threading.RLock()


class LmdbFile:
    """A folder that holds one LMDB file.

    Args:
        path: The folder; made when missing.
        advice: What a user is told to do when it cannot be used.
    """

    def __init__(self, path: Path, advice: str) -> None:
        self.path, self._advice = path, advice

    def run(self, work: Callable[[OpenFile], Result]) -> Result:
        """Do some work with the file. When it is damaged it is made anew, with a warning, and the work done again.

        Raises:
            ModelError: The file cannot be opened or written.
        """
        import lmdb

        damaged: tuple[type[Exception], ...] = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError)
        damaged += (lmdb.PanicError, lmdb.VersionMismatchError, lmdb.IncompatibleError, lmdb.BadValsizeError)
        damaged += (ValueError, struct.error)  # what is read cannot be parsed
        try:
            try:
                return work(self._open())
            except damaged as error:
                warnings.warn(
                    f"{self.path}: damaged ({error}); started anew, what was in it is computed again", stacklevel=3
                )
                self.replace(None)
                return work(self._open())
        except (OSError, lmdb.Error) as error:
            raise ModelError(f"{self.path}: {error}; {self._advice}") from error

    def replace(self, new: Path | None) -> None:
        """Put another folder in the place of this one, or nothing.

        Processes that have the old file open finish what they do with it, unharmed, and then take the new one.
        """
        with _LOCK:
            if opened := _OPEN.pop(self._key(), None):
                opened.environment.close()
            aside = self.path.with_name(f".old-{uuid.uuid4().hex}")
            if self.path.exists():
                self.path.rename(aside)
            if new is not None:
                try:
                    new.rename(self.path)
                except OSError:  # another process has begun a new one in between: its vectors are as good
                    shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)

    def compact(self) -> None:
        """Give the room of what was deleted back to the disk; LMDB itself only uses it again."""
        fresh = self.path.with_name(f".new-{uuid.uuid4().hex}")
        fresh.mkdir()
        try:
            self.run(lambda file: file.environment.copy(str(fresh), compact=True))
            self.replace(fresh)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed process left beside the file; a copy that is being made is younger than an hour."""
        for left in [*self.path.parent.glob(".old-*"), *self.path.parent.glob(".new-*")]:
            with suppress(OSError):
                if left.name.startswith(".old-") or time.time() - left.stat().st_mtime > _HOUR:
                    shutil.rmtree(left)

    def _open(self) -> OpenFile:
        with _LOCK:
            if (opened := _OPEN.get(self._key())) and opened.inode != self._inode():
                del _OPEN[self._key()]  # replaced by another process; closed when no thread uses it any more
            if self._key() not in _OPEN:
                for inherited in [key for key in _OPEN if key[0] != os.getpid()]:  # this is a fork
                    _OPEN.pop(inherited).environment.close()
                self._sweep()
                _OPEN[self._key()] = OpenFile(self.path)
            return _OPEN[self._key()]

    def _inode(self) -> int | None:
        try:
            return (self.path / "data.mdb").stat().st_ino
        except FileNotFoundError:
            return None

    def _key(self) -> tuple[int, str]:
        return os.getpid(), str(self.path.absolute())
