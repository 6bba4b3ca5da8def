"""What `dialogue-cube cache` does, without its terminal."""

from __future__ import annotations

import time
from pathlib import Path

from cube_model.errors import ModelError
from cube_model.vectors.cache import EmbeddingCache, default_folder
from cube_model.vectors.store import LAYOUT


def open_cache(folder: Path | None) -> EmbeddingCache:
    """The cache in `folder`, by default the one that all commands use.

    Raises:
        ModelError: A folder was named, and there is no cache in it.
    """
    if folder is not None and not (folder.expanduser() / LAYOUT).is_dir():
        raise ModelError(f"{folder}: no embedding cache; the default one is at {default_folder()}")
    return EmbeddingCache(folder)


def clear_cache(cache: EmbeddingCache, teacher: str | None = None, older_than: float | None = None) -> int:
    """Remove vectors from a cache and give their room back to the disk.

    Args:
        cache: The cache.
        teacher: Only vectors of this teacher: its name, or how its fingerprint begins.
        older_than: Only vectors that were not used for so many days; exact to a day, and a chunk at a time.

    Returns:
        Number of vectors removed.

    Raises:
        ModelError: There is no such teacher in the cache.
    """
    shelves = cache.shelves()
    if teacher is None and older_than is None:
        cache.clear()
        for path in other_files(cache.folder):
            path.unlink(missing_ok=True)
        return sum(shelf.vectors for shelf in shelves)
    chosen = {s.fingerprint for s in shelves if teacher is None or s.teacher == teacher}
    chosen |= {s.fingerprint for s in shelves if teacher and len(teacher) >= 4 and s.fingerprint.startswith(teacher)}
    if teacher is not None and not chosen:
        there = ", ".join(sorted({s.teacher or s.fingerprint[:12] for s in shelves})) or "nothing"
        raise ModelError(f"no vectors of teacher {teacher} in {cache.folder}; there is {there}")
    oldest = time.time() - (older_than or 0) * 24 * 3600
    return cache.delete(lambda fingerprint, used: fingerprint in chosen and (older_than is None or used <= oldest))


def other_files(folder: Path) -> list[Path]:
    """Files that another version of this project left in the cache folder."""
    return [folder / name for name in ("data.mdb", "lock.mdb") if (folder / name).is_file()]
