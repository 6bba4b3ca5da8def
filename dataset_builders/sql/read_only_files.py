"""Files that DuckDB can read and by no statement write: under names of our own, through Python.

`enable_external_access = false` is not enough: DuckDB goes on to write what it may read, so that
`COPY (SELECT 1) TO 'data.duckdb' (USE_TMP_FILE false)` destroys the database that is open, and a table expression
(`WITH x AS (COPY ...)`) hides such a statement in a SELECT. A file behind this file system has no path in DuckDB, and
the file system cannot write.
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
"""What DuckDB writes before a name."""


class ReadOnlyFiles(AbstractFileSystem):
    """Named files, for `DuckDBPyConnection.register_filesystem`; a context that closes them.

    Args:
        files: Name, with `/` between folders -> path.
    """

    protocol = "readonly"
    cachable = False  # another set of files is another file system

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
        """A file for reading.

        Raises:
            OSError: There is no file of this name, or the mode is another one than reading.
        """
        name = self._strip_protocol(path)
        if mode != "rb":
            raise PermissionError(f"{name} is for reading only")
        with self._lock:
            if name not in self._opened:
                # one descriptor for all readers: to close any would end the lock that DuckDB has on the file
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
        """When a file was last written: DuckDB keeps blocks of files that do not change."""
        return datetime.fromtimestamp(self._path(self._strip_protocol(path)).stat().st_mtime, timezone.utc)

    def _path(self, name: str) -> Path:
        if name not in self._files:
            raise FileNotFoundError(name)
        return self._files[name]


class _Reader:
    """An open file with a position for each thread: DuckDB's threads share it, and seek and read in two calls."""

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
        """Nothing: the file system closes the file."""


def lock(connection: DuckDBPyConnection, *, allow_files: bool = False) -> None:
    """Let no later statement change a setting, read a variable of Python or, unless allowed, open a path.

    Args:
        connection: One that has all it needs; its temporary files go on.
        allow_files: Let statements read and write files by their paths.
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
