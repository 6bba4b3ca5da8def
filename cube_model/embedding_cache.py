"""Vectors that were computed once: one LMDB file, keyed by teacher fingerprint and text.

LMDB gives what a cache shared by several runs needs: a killed process leaves it whole, one writer at a time waits for
the other, and reading copies nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.teacher import Teacher

_MAP_SIZE = 1 << 38
"""Upper bound of the file, bytes: address space only, the file itself grows with what is in it."""

_CHUNK = 1 << 14
"""Texts encoded between two writes: what a killed run has to compute again at most."""

_OPEN: dict[tuple[int, str], Any] = {}
"""LMDB forbids opening one file twice in a process: open environments by process and folder."""


def default_folder() -> Path:
    """`embeddings` below `DIALOGUE_CUBE_CACHE`, by default below `~/.cache/dialogue-cube`."""
    return Path(os.environ.get("DIALOGUE_CUBE_CACHE") or "~/.cache/dialogue-cube").expanduser() / "embeddings"


@dataclass
class CacheStats:
    """Distinct texts asked for since the cache was opened: found (`hits`) and not found (`misses`)."""

    hits: int = 0
    misses: int = 0


class EmbeddingCache:
    """A folder of vectors, shared by all teachers.

    Args:
        folder: Where the file lies; `default_folder()` when not given. Made when missing.

    Raises:
        ModelError: The folder cannot be opened for writing.

    Example:
        >>> cache = EmbeddingCache()
        >>> vectors = cache.embed(teacher, ["Hello!", "Goodbye!"])  # the second time: read from disk
        >>> cache.stats
        CacheStats(hits=0, misses=2)
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        import lmdb

        self.folder = Path(folder).expanduser() if folder is not None else default_folder()
        self.stats = CacheStats()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            key = (os.getpid(), str(self.folder.resolve()))
            if key not in _OPEN:
                # metasync=False: after a power cut the last write may be missing, never broken
                _OPEN[key] = lmdb.open(key[1], map_size=_MAP_SIZE, metasync=False, max_readers=512)
            self._environment = _OPEN[key]
        except (OSError, lmdb.Error) as error:
            raise ModelError(
                f"embedding cache {self.folder}: {error}; set DIALOGUE_CUBE_CACHE to a folder that can be written"
            ) from error

    def __len__(self) -> int:
        return int(self._environment.stat()["entries"])

    def get_many(self, fingerprint: str, texts: Sequence[str]) -> list[np.ndarray | None]:
        """The vectors of texts, float32 `[dimension]` each (read-only), None where not stored."""
        with self._environment.begin(buffers=False) as transaction:
            found = [transaction.get(_key(fingerprint, text)) for text in texts]
        hits = sum(value is not None for value in found)
        self.stats.hits += hits
        self.stats.misses += len(found) - hits
        return [None if value is None else np.frombuffer(value, dtype="<f4") for value in found]

    def put_many(self, fingerprint: str, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Store float32 `vectors` `[n, dimension]` of `texts` in one transaction: all of them or none."""
        import lmdb

        if len(texts) != len(vectors):
            raise ValueError(f"{len(texts)} texts but {len(vectors)} vectors")
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        # in key order, as a B-tree likes it
        items = sorted((_key(fingerprint, text), row.tobytes()) for text, row in zip(texts, rows, strict=True))
        try:
            with self._environment.begin(write=True) as transaction, transaction.cursor() as cursor:
                cursor.putmulti(items)
        except lmdb.Error as error:
            raise ModelError(f"embedding cache {self.folder}: cannot write: {error}") from error

    def embed(self, teacher: Teacher, texts: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Vectors of texts, from the cache where they are, else from the teacher (and stored).

        Returns:
            float32 `[n, teacher.dimension]`.
        """
        position: dict[str, int] = {}
        rows = np.fromiter(
            (position.setdefault(text, len(position)) for text in texts), dtype=np.int64, count=len(texts)
        )
        distinct = list(position)
        vectors = np.zeros((len(distinct), teacher.dimension), dtype=np.float32)
        missing: list[int] = []
        for i, vector in enumerate(self.get_many(teacher.fingerprint, distinct)):
            if vector is None:
                missing.append(i)
            else:
                vectors[i] = vector

        if missing:
            from cube_model.teacher import encoding_progress

            with encoding_progress(teacher, len(missing), progress) as advance:
                for start in range(0, len(missing), _CHUNK):
                    part = missing[start : start + _CHUNK]
                    new = teacher.encode([distinct[i] for i in part], advance=advance)
                    vectors[part] = new
                    self.put_many(teacher.fingerprint, [distinct[i] for i in part], new)
        return vectors[rows]


def _key(fingerprint: str, text: str) -> bytes:
    """32 bytes; lone surrogates, which raw data may hold, are hashed as they are."""
    return hashlib.sha256(f"{fingerprint}\0{text}".encode("utf-8", "surrogatepass")).digest()
