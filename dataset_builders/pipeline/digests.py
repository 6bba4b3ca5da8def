"""What files hold, without reading them again: digests remembered by size and times."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dataset_builders.common.files import write_whole
from dataset_builders.sources.raw_files import sha256, walk

DIGEST = "sha256:"
"""Begins every digest, which tells it from a value that is shown to people."""

_RACY_NS = 2_000_000_000
"""A file changed less than this before it was read may change again within the clock's tick: it is not remembered."""


class FileDigests:
    """SHA-256 of files, and what else is in them: read again only when size, time of change or time of the entry moved.

    Args:
        path: JSON file that remembers them between runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, list[Any]] = {}
        self._is_new = False
        if path.exists():
            try:
                self._known = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:  # only time is lost
                self._known = {}

    def of(self, file: Path) -> str:
        """Digest of one file."""
        return str(self.recall(file, "", lambda file: DIGEST + sha256(file)))

    def recall(self, file: Path, what: str, read: Callable[[Path], Any]) -> Any:
        """What was read from a file, read again only when the file has changed.

        Args:
            file: The file.
            what: What is read, to tell it from other things remembered of the file.
            read: Reads it. The result is remembered as JSON.
        """
        stat = file.stat()
        # the entry's own time moves with every change, also where a tool sets the other one back (rsync, cp -p)
        times = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        key = f"{what} {file.absolute()}" if what else str(file.absolute())
        *then, content = self._known.get(key, [None])
        if then == times:
            return content
        content = read(file)
        if time.time_ns() - stat.st_ctime_ns > _RACY_NS:
            self._known[key] = [*times, content]
            self._is_new = True
        return content

    def below(self, place: Path, label: str) -> dict[str, str]:
        """Digests of a file, or of all files below a folder but hidden ones, by `LABEL PATH`."""
        files = walk(place) if place.is_dir() else [place] if place.exists() else []
        return {f"{label} {file.relative_to(place) if file != place else file.name}": self.of(file) for file in files}

    def save(self) -> None:
        """Remember what was learned."""
        if self._is_new:
            write_whole(self.path, json.dumps(self._known, indent=0))
            self._is_new = False


def digest_of(values: Iterable[str]) -> str:
    """One digest of several texts, in their order."""
    return DIGEST + hashlib.sha256("\0".join(values).encode()).hexdigest()


def signature(place: Path) -> dict[str, list[int]]:
    """Size and time of a file, or of all files below a folder, by path; empty when nothing is there."""
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    found = {}
    for file in files:
        stat = file.stat()
        found[file.relative_to(place).as_posix()] = [stat.st_size, stat.st_mtime_ns]
    return found
