"""Lists of files. `Path.glob` and `Path.rglob` treat an unreadable folder as an empty one; here it is an error."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections import deque
from pathlib import Path, PurePath

from dataset_builders.common.errors import DataError


def list_files(folder: Path, pattern: str) -> list[Path]:
    """List the entries of a folder whose names match a pattern.

    Args:
        folder: Folder; may be missing.
        pattern: Pattern of names, such as `"*.parquet"`.

    Returns:
        Paths, sorted; empty if the folder is missing.

    Raises:
        DataError: The folder cannot be listed.
    """
    try:
        return sorted(path for path in folder.iterdir() if fnmatch.fnmatch(path.name, pattern))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unlisted(folder, error) from error


def walk(root: Path) -> list[Path]:
    """List all files below a folder except hidden ones; links to folders are followed, and each folder is read once.

    Args:
        root: Folder of files. Anything unreadable in it is an error, as its content would be missing silently.

    Returns:
        Paths below `root`, sorted. A folder that has links to it appears under its own path.

    Raises:
        DataError: A folder cannot be listed, a link is broken, or an entry is neither file nor folder.
    """
    paths: list[Path] = []
    seen: set[str] = set()
    folders = deque([root])
    while folders:
        folder = folders.popleft()
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        for path in _entries(folder):
            mode = _mode(path)
            if stat.S_ISDIR(mode):
                (folders.append if path.is_symlink() else folders.appendleft)(path)
            elif stat.S_ISREG(mode):
                paths.append(path)
            else:
                raise DataError(f"{path}: a pipe, socket or device, not a file; move it out of the folder")
    return sorted(paths)


def is_hidden(path: PurePath) -> bool:
    """Whether a part of a relative path begins with a dot, or is a folder of metadata that macOS adds to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _entries(folder: Path) -> list[Path]:
    """Entries of a folder except hidden ones, sorted."""
    try:
        return sorted(path for path in folder.iterdir() if not is_hidden(PurePath(path.name)))
    except OSError as error:
        raise _unlisted(folder, error) from error


def _mode(path: Path) -> int:
    """Mode of a file, or of a link's target (`stat.st_mode`)."""
    try:
        return path.stat().st_mode
    except OSError as error:
        is_link = not isinstance(error, PermissionError) and path.is_symlink()
        problem = f"the link to {path.readlink()} is broken" if is_link else "cannot be read"
        raise DataError(f"{path}: {problem} ({error.strerror}); repair it, or move it away") from error


def _unlisted(folder: Path, error: OSError) -> DataError:
    return DataError(f"{folder}: the folder cannot be listed ({error.strerror}); grant access, or move the folder away")
