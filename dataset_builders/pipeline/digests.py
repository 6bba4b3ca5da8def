"""Digests of files, remembered by size and times so that unchanged files are not read again."""

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
"""Prefix of every digest; values without it are readable and may be shown to people."""

_RACY_NS = 2_000_000_000
"""Minimum age of a change in nanoseconds, before a file is remembered: it could change again within a clock tick."""

_ENTRY = 4
"""Length of an entry: size, both times, and the fact."""


class FileDigests:
    """SHA-256 and other facts of files; a file is read again only if its size or one of its times has changed.

    Args:
        path: JSON file that remembers them between runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, list[Any]] = {}
        self._is_changed = False
        if path.exists():
            try:
                entries = json.loads(path.read_text(encoding="utf-8"))
                self._entries = {key: entry for key, entry in entries.items() if len(entry) == _ENTRY}
            except (ValueError, TypeError, AttributeError, RecursionError):  # a damaged file only costs time
                self._entries = {}

    def of(self, file: Path) -> str:
        """Digest of one file."""
        return str(self.recall(file, "", lambda file: DIGEST + sha256(file)))

    def recall(self, file: Path, what: str, read: Callable[[Path], Any]) -> Any:
        """A fact about a file, read anew only if the file has changed.

        Args:
            file: The file.
            what: Name of the fact, unique among the facts about the file.
            read: Function that reads it; its result must survive JSON.
        """
        stat = file.stat()
        # the inode's change time moves with every change, even if a tool restores the other time (rsync, cp -p)
        times = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        key = f"{what} {file.absolute()}" if what else str(file.absolute())
        *old_times, content = self._entries.get(key, [None])
        if old_times == times:
            return content
        content = read(file)
        if time.time_ns() - stat.st_ctime_ns > _RACY_NS:
            self._entries[key] = [*times, content]
            self._is_changed = True
        return content

    def below(self, place: Path, label: str) -> dict[str, str]:
        """Digests of a file, or of all files below a folder except hidden ones, by `LABEL PATH`."""
        files = walk(place) if place.is_dir() else [place] if place.exists() else []
        return {f"{label} {file.relative_to(place) if file != place else file.name}": self.of(file) for file in files}

    def save(self) -> None:
        """Write new entries to the file."""
        if self._is_changed:
            write_whole(self.path, json.dumps(self._entries, indent=0))
            self._is_changed = False


def digest_of(values: Iterable[str]) -> str:
    """One digest of several texts; their order matters."""
    return DIGEST + hashlib.sha256("\0".join(values).encode()).hexdigest()


def signature(place: Path) -> dict[str, list[int]]:
    """Size and time of a file, or of all files below a folder, by relative path; empty if there is none."""
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    stats = {file.relative_to(place).as_posix(): file.stat() for file in files}
    return {path: [stat.st_size, stat.st_mtime_ns] for path, stat in stats.items()}
