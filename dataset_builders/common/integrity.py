"""Digests of files: whether a dataset folder or an index is still as it was written."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.common.listing import list_files

REPORT = Path("quality", "report.json")
"""The report of a build, with the digests of the parquet files beside it."""

_THREADS = 4
"""Files that are read at the same time; hashing releases Python's lock. One thread hashes about 1 GB/s."""


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file on disk, cached until its size or modification time changes."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    return _digest(path, hashlib.sha256())


def xxh3(path: Path) -> str:
    """Hex XXH3 (128 bits) of a file on disk: as fast as the disk, against damage but not against intent."""
    from xxhash import xxh3_128

    return _digest(path, xxh3_128())


def rebuild_advice(data: object) -> str:
    """What to do about a dataset folder that is damaged or of an older version, as the end of a message.

    Args:
        data: The folder, or a Hub repository.

    Example:
        >>> rebuild_advice("dataset")
        'build it again with `dialogue-cube build --raw-dir RAW --out dataset`'
    """
    place = data if Path(str(data)).expanduser().is_dir() else "DIR"
    return f"build it again with `dialogue-cube build --raw-dir RAW --out {place}`"


def check_dataset(
    folder: Path, digests: Mapping[str, str], configs: Collection[str], *, error: type[DialogueCubeError] = DataError
) -> None:
    """Check that the parquet files of a dataset folder are those that its build wrote.

    A flipped bit often gives wrong rows instead of an error: parquet files have no checksums by default.

    Args:
        folder: The folder.
        digests: Path below the folder -> SHA-256, as in the report; if empty, nothing is checked.
        configs: Folders below it to check, such as `pairs` or `quality`.
        error: Type of the error.

    Raises:
        DialogueCubeError: A file is missing, differs or is not listed; of the type `error`.
    """
    if not digests:
        return
    here = {f"{config}/{path.name}" for config in configs for path in list_files(folder / config, "*.parquet")}
    advice = f"build or download the folder again, such as `dialogue-cube build --raw-dir RAW --out {folder}`"
    if left := sorted(here - digests.keys()):
        raise error(f"{folder / left[0]}: not a file of this build, {REPORT.as_posix()} does not list it; {advice}")
    names = sorted(name for name in digests if name.partition("/")[0] in configs)
    if wrong := find_damage(folder, {name: digests[name] for name in names}, sha256):
        raise error(f"{folder / wrong[0]}: {wrong[1]} since the build; {advice}")


def find_damage(folder: Path, digests: Mapping[str, str], digest: Callable[[Path], str]) -> tuple[str, str] | None:
    """Find the first file that is not as it was written.

    Args:
        folder: Folder of the files.
        digests: Path below the folder -> digest.
        digest: Function that computes a digest.

    Returns:
        Its path below the folder and what happened, "damaged, changed" or "removed"; None if all are whole.
    """

    def problem(name: str) -> str | None:
        path = folder / name
        return ("damaged or changed" if digest(path) != digests[name] else None) if path.is_file() else "removed"

    with ThreadPoolExecutor(_THREADS) as threads:
        problems = threads.map(problem, digests)
        return next(((name, what) for name, what in zip(digests, problems, strict=True) if what), None)


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())
