"""Files that the tasks of a command exchange: in a folder, or in any file system of fsspec, such as `s3://`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Storage:
    """A folder of files that are complete or absent. Picklable, so that tasks on other machines can open it.

    Args:
        root: Folder that all workers can reach.
    """

    root: str

    def exists(self, name: str) -> bool:
        """Whether a file is complete."""
        return Path(self.root, name).exists()

    def names(self, folder: str) -> list[str]:
        """Names of the complete files in a folder, sorted; none if there is no such folder."""
        place = Path(self.root, folder)
        if not place.is_dir():
            return []
        return sorted(f"{folder}/{file.name}" for file in os.scandir(place) if not file.name.startswith("."))

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Contents of small files, by name."""
        return {name: Path(self.root, name).read_bytes() for name in names}

    def open(self, name: str) -> Any:
        """Open a file for reading at any position, as `pyarrow.ipc.open_file` needs it; the caller closes it."""
        return Path(self.root, name).open("rb")

    @contextmanager
    def create(self, name: str) -> Iterator[Path]:
        """Write a file, which appears complete at the end or not at all; an earlier one is replaced.

        Yields:
            Local path to write to.
        """
        place = Path(self.root, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}.{os.getpid()}.part")  # two tasks may write it after a lost connection
        try:
            yield aside
            aside.replace(place)
        finally:
            aside.unlink(missing_ok=True)
