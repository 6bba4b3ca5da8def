"""An LMDB file with named tables, opened once per process and recreated when it is damaged."""

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
"""Maximum file size in bytes. It reserves address space only; the file grows with its content."""

_MAX_TABLES = 1024

_HOUR = 3600  # seconds

_LOCK_BYTES = 1 << 16
"""Size of the lock file, more than `_MAX_READERS` need at 64 bytes each."""

_MAX_READERS = 512

Result = TypeVar("Result")


class OpenFile:
    """An open LMDB environment and its tables.

    Attributes:
        environment: Environment of the `lmdb` package.
        checked: Numbers of the values verified since the file was opened; maintained by the caller.
        inode: Inode of the file. Another inode at the same path means that the file was replaced.
    """

    def __init__(self, path: Path) -> None:
        import lmdb

        path.mkdir(parents=True, exist_ok=True)
        _allocate_lock_file(path / "lock.mdb")
        # metasync=False: a power cut can lose the last write, but never corrupts the file
        self.environment = lmdb.open(
            str(path), map_size=_MAP_SIZE, metasync=False, max_readers=_MAX_READERS, max_dbs=_MAX_TABLES
        )
        self._tables: dict[bytes, Any] = {}
        self.checked: set[int] = set()
        needed = (self.environment.info()["last_pgno"] + 1) * self.environment.stat()["psize"]
        if (path / "data.mdb").stat().st_size < needed:  # reading past the end of the file would kill the process
            self.environment.close()
            raise lmdb.CorruptedError(f"{path / 'data.mdb'}: file is truncated")
        self.inode = (path / "data.mdb").stat().st_ino
        self.environment.reader_check()  # clear killed readers, which would prevent the reuse of old pages

    def table(self, name: bytes, create: bool = False) -> Any:
        """Return the handle of a table, or None if it does not exist and `create` is False.

        Handles stay valid, because tables are emptied but never deleted.
        """
        import lmdb

        if name not in self._tables:
            try:
                self._tables[name] = self.environment.open_db(name, create=create)
            except lmdb.NotFoundError:
                return None
        return self._tables[name]


def _allocate_lock_file(lock: Path) -> None:
    """Allocate the whole lock file on disk: LMDB maps it, and a page without disk space would kill the process."""
    missing = _LOCK_BYTES - (lock.stat().st_size if lock.exists() else 0)
    if missing > 0:
        with lock.open("ab") as file:
            file.write(bytes(missing))


_OPEN: dict[tuple[int, str], OpenFile] = {}
"""Open files by process and path: LMDB forbids opening a file twice in a process, or using it after a fork."""
_LOCK = threading.RLock()


class LmdbFile:
    """A folder with one LMDB file.

    Args:
        path: Folder, created if missing.
        advice: End of the error message: what to do if the file cannot be used.
    """

    def __init__(self, path: Path, advice: str) -> None:
        self.path, self._advice = path, advice

    def run(self, work: Callable[[OpenFile], Result]) -> Result:
        """Run a function on the open file. If the file is damaged, warn, replace it with an empty one and run again.

        Raises:
            ModelError: The file cannot be opened or written.
        """
        import lmdb

        damaged: tuple[type[Exception], ...] = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError)
        damaged += (lmdb.PanicError, lmdb.VersionMismatchError, lmdb.IncompatibleError, lmdb.BadValsizeError)
        damaged += (ValueError, struct.error)  # the content cannot be parsed
        try:
            try:
                return work(self._open())
            except damaged as error:
                warnings.warn(
                    f"{self.path}: damaged ({error}); replaced by an empty cache, embeddings are computed again",
                    stacklevel=3,
                )
                self.replace(None)
                return work(self._open())
        except (OSError, lmdb.Error) as error:
            raise ModelError(f"{self.path}: {error}; {self._advice}") from error

    def replace(self, new: Path | None) -> None:
        """Replace the folder with another one, or delete it.

        Processes that have the old file open can finish their current work with it, and then switch to the new one.
        """
        with _LOCK:
            if opened := _OPEN.pop(self._key(), None):
                opened.environment.close()
            old = self.path.with_name(f".old-{uuid.uuid4().hex}")
            if self.path.exists():
                self.path.rename(old)
            if new is not None:
                try:
                    new.rename(self.path)
                except OSError:  # another process has created a new file meanwhile: keep that one
                    shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)

    def compact(self) -> None:
        """Release the disk space of deleted values; LMDB itself only reuses it."""
        new = self.path.with_name(f".new-{uuid.uuid4().hex}")
        new.mkdir()
        try:
            self.run(lambda file: file.environment.copy(str(new), compact=True))
            self.replace(new)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove the leftovers of killed processes. A copy younger than an hour may still be in progress."""
        for leftover in [*self.path.parent.glob(".old-*"), *self.path.parent.glob(".new-*")]:
            with suppress(OSError):
                if leftover.name.startswith(".old-") or time.time() - leftover.stat().st_mtime > _HOUR:
                    shutil.rmtree(leftover)

    def _open(self) -> OpenFile:
        with _LOCK:
            if (opened := _OPEN.get(self._key())) and opened.inode != self._inode():
                del _OPEN[self._key()]  # replaced by another process; closed once no thread uses it
            if self._key() not in _OPEN:
                for inherited in [key for key in _OPEN if key[0] != os.getpid()]:  # this process is a fork
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
