"""Files that DuckDB can read but no statement can write: they have names of our own and are read through Python.

`enable_external_access = false` is not enough, because DuckDB may write any file that it may read:
`COPY (SELECT 1) TO 'data.duckdb' (USE_TMP_FILE false)` destroys the open database, and a table expression
(`WITH x AS (COPY ...)`) can hide that statement in a SELECT. Files in this file system have no path in DuckDB, and the
file system cannot write.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock, get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROOT = "readonly://"
"""Prefix of the names in SQL."""


class ReadOnlyFiles(AbstractFileSystem):
    """File system for `DuckDBPyConnection.register_filesystem`; a context manager that closes the files.

    Args:
        files: Paths by name, with `/` between folders.
    """

    protocol = "readonly"
    cachable = False  # each instance has its own files

    def __init__(self, files: Mapping[str, Path]) -> None:
        super().__init__()
        self._files = dict(files)
        self._opened: dict[str, int] = {}
        self._lock = Lock()

    def __enter__(self) -> ReadOnlyFiles:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._opened:
            os.close(self._opened.popitem()[1])

    def open(self, path: str, mode: str = "rb", **options: Any) -> _Reader:
        """Open a file for reading.

        Raises:
            OSError: The file does not exist, or the mode is not reading.
        """
        name = self._strip_protocol(path)
        if mode != "rb":
            raise PermissionError(f"{name} is read-only")
        with self._lock:
            if name not in self._opened:
                # one descriptor for all readers, because closing any would release DuckDB's lock on the file
                self._opened[name] = os.open(self._path(name), os.O_RDONLY | getattr(os, "O_BINARY", 0))
            return _Reader(self._opened[name])

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Name, size in bytes and type of a file."""
        name = self._strip_protocol(path)
        return {"name": name, "size": self._path(name).stat().st_size, "type": "file"}

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """The files in a folder."""
        folder = self._strip_protocol(path)
        names = [name for name in self._files if name.rpartition("/")[0] == folder]
        return [self.info(name) for name in names] if detail else names

    def modified(self, path: str) -> datetime:
        """Time when a file was last written; DuckDB caches blocks of files that have not changed."""
        return datetime.fromtimestamp(self._path(self._strip_protocol(path)).stat().st_mtime, timezone.utc)

    def _path(self, name: str) -> Path:
        if name not in self._files:
            raise FileNotFoundError(name)
        return self._files[name]


class _Reader:
    """An open file with a position per thread: DuckDB's threads share it, and seek and read in two calls."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._positions: dict[int, int] = {}

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        self._positions[get_ident()] = start + offset
        return start + offset

    def tell(self) -> int:
        return self._positions.get(get_ident(), 0)

    def read(self, size: int = -1) -> bytes:
        start = self.tell()
        content = os.pread(self._descriptor, self._size - start if size < 0 else size, start)
        self._positions[get_ident()] = start + len(content)
        return content

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing: the file system closes the file."""


def lock(connection: DuckDBPyConnection, *, allow_files: bool = False) -> None:
    """Prevent later statements from changing settings, reading Python variables and opening paths.

    Args:
        connection: Connection with all its files attached; it can still write temporary files.
        allow_files: Whether statements may read and write files by their paths.
    """
    settings = {
        "python_enable_replacements": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if not allow_files:
        settings |= {"allowed_directories": f"['{ROOT}']", "enable_external_access": "false"}
    for name, value in {**settings, "lock_configuration": "true"}.items():
        connection.execute(f"SET {name} = {value}")
