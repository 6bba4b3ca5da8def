"""Embedding cache on disk, keyed by teacher fingerprint and text, shared by all runs.

>>> cache = EmbeddingCache()
>>> vectors = cache.embed(teacher, ["Hello!", "Goodbye!"])  # read from disk the second time
>>> cache.stats
CacheStats(hits=0, misses=2, bytes=28672, seconds_saved=0.0)
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.vectors.distributed import agreed_rows, encode_distributed
from cube_model.vectors.folder import VectorFolder
from cube_model.vectors.keys import cache_keys
from cube_model.vectors.store import LAYOUT, PRECISIONS, Shelf, VectorStore
from dataset_builders.common.progress import encoding_progress

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cube_model.teacher.teacher import Teacher

logger = logging.getLogger(__name__)

_CHUNK = 1 << 14
_CHUNK_WORK = _CHUNK * 22.7e6
_SMALLEST_CHUNK = 256
"""Maximum texts, maximum texts x parameters, and minimum texts encoded between two writes. They bound what a killed run
has to compute again: about half a minute on a processor, whatever the teacher (MiniLM has 22.7 M parameters)."""

_WARM_UP, _SAMPLE = 16, 1024
"""Number of texts to encode untimed, as the first call is slower, and number to measure the speed of a teacher."""

_DEFAULT_GB = 20.0

_ADVICE = "set DIALOGUE_CUBE_CACHE to a writable folder on a disk with free space"


def default_folder() -> Path:
    """Return the folder `embeddings` in `DIALOGUE_CUBE_CACHE`, by default in `~/.cache/dialogue-cube`."""
    return Path(os.environ.get("DIALOGUE_CUBE_CACHE") or "~/.cache/dialogue-cube").expanduser() / "embeddings"


def indexes_folder(cache_folder: Path) -> Path:
    """Return the folder of the answer indexes that belong to a cache of embeddings: `indexes` beside it."""
    return cache_folder.parent / "indexes"


def default_max_bytes() -> int:
    """Return `DIALOGUE_CUBE_CACHE_GB` in bytes, by default 20 GB.

    Raises:
        ModelError: The variable is not a number above 0.
    """
    value = os.environ.get("DIALOGUE_CUBE_CACHE_GB") or str(_DEFAULT_GB)
    try:
        size = float(value)
    except ValueError:
        size = 0.0
    if not 0 < size < float("inf"):
        raise ModelError(f"DIALOGUE_CUBE_CACHE_GB is {value!r}: expected a number of gigabytes above 0")
    return int(size * 1e9)


@dataclass(frozen=True)
class CacheStats:
    """Statistics of a cache since it was opened.

    Attributes:
        hits: Number of distinct texts read from the cache.
        misses: Number of distinct texts missing from the cache.
        bytes: Total size of the cache, including all teachers.
        seconds_saved: Estimated encoding time of the hits, at the speed measured when they were encoded, minus the
            time spent reading them.
    """

    hits: int = 0
    misses: int = 0
    bytes: int = 0
    seconds_saved: float = 0.0


class EmbeddingCache:
    """Embedding cache, shared by all teachers. Embeddings of different teachers or precisions never mix.

    Args:
        folder: Cache folder, created if missing. Default: `default_folder()`.
        precision: `"float32"`, or `"float16"` to halve the disk space. The latter rounds embeddings by up to 0.05 %,
            including those returned when they are first computed.
        max_bytes: Maximum size; beyond it, the least recently used chunks are deleted. Default: `default_max_bytes()`.
        vectors: Folder written by `dialogue-cube embed`, which is searched first and never changed.

    Raises:
        ModelError: The folder cannot be opened for writing, the vectors cannot be read, or an argument is invalid.

    Example:
        >>> from cube_model import Teacher
        >>> cache, teacher = EmbeddingCache("vectors"), Teacher.load("minilm")
        >>> cache.embed(teacher, ["Is there a gym?", "Is there a gym?"]).shape
        (2, 384)
        >>> cache.stats.misses
        1
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        precision: str = "float32",
        max_bytes: int | None = None,
        vectors: str | os.PathLike[str] | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ModelError(f"cache precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
        if max_bytes is not None and max_bytes <= 0:
            raise ModelError(f"cache size limit {max_bytes}: expected more than 0 bytes")
        self.folder = Path(folder).expanduser() if folder is not None else default_folder()
        self.precision = precision
        self.max_bytes = max_bytes or default_max_bytes()
        self._ready = None if vectors is None else VectorFolder(vectors)
        self._store = VectorStore(self.folder, _ADVICE)
        self._hits = self._misses = 0
        self._saved = 0.0

    def __len__(self) -> int:
        return sum(shelf.vectors for shelf in self._store.shelves())

    def __bool__(self) -> bool:
        return True  # an empty cache is not false: `cache or EmbeddingCache()` keeps it

    @property
    def stats(self) -> CacheStats:
        """Current statistics."""
        return CacheStats(self._hits, self._misses, self._store.size(), round(self._saved, 3))

    def get_many(self, fingerprint: str, texts: Sequence[str]) -> list[np.ndarray | None]:
        """Return the embedding of each text, float32 `[dimension]`, or None if it is not stored."""
        dimension = self._store.facts(fingerprint, self.precision).get("dimension", 0)
        vectors, stored = self._read(fingerprint, texts, dimension)
        return [vector if hit else None for vector, hit in zip(vectors, stored, strict=True)]

    def put_many(
        self, fingerprint: str, texts: Sequence[str], vectors: np.ndarray, *, teacher: str = "", seconds: float = 0.0
    ) -> None:
        """Store embeddings atomically, except those with values that are not finite.

        Args:
            fingerprint: Fingerprint of the teacher.
            texts: n distinct texts.
            vectors: Their embeddings `[n, dimension]`.
            teacher: Name of the teacher, shown by `dialogue-cube cache info`.
            seconds: Encoding time of all texts.

        Raises:
            ValueError: The numbers of texts and vectors differ.
            ModelError: The dimension differs from the teacher's other embeddings, or the cache cannot be written.
        """
        if len(texts) != len(vectors):
            raise ValueError(f"{len(texts)} texts but {len(vectors)} vectors")
        rows = np.flatnonzero(np.isfinite(vectors.astype(PRECISIONS[self.precision])).all(1))
        if not len(rows):
            return
        keys = cache_keys([texts[i] for i in rows.tolist()])
        self._store.write(fingerprint, self.precision, keys, vectors[rows], teacher=teacher, seconds=seconds)
        if self._store.size() > self.max_bytes:
            # free a tenth more than needed, so that not every write has to delete
            self._store.delete(lambda *_: True, stop=lambda: self._store.size() <= 0.9 * self.max_bytes)

    def embed(
        self,
        teacher: Teacher,
        texts: Sequence[str],
        *,
        progress: bool = False,
        accelerator: Accelerator | None = None,
    ) -> np.ndarray:
        """Return embeddings of texts, encoding and storing those that are missing.

        Args:
            teacher: Teacher that encodes missing texts.
            texts: n texts; duplicates are looked up and encoded once.
            progress: Whether to show a progress bar while encoding.
            accelerator: Accelerator of a run in several processes. All of them must pass the same texts; each encodes
                a share of the missing ones, and all return the same embeddings.

        Returns:
            Embeddings, float32 `[n, teacher.dimension]`.

        Raises:
            ModelError: The vectors passed to the cache are those of another teacher, or of other data.
        """
        distinct = list(dict.fromkeys(texts))
        started = time.perf_counter()
        vectors, stored = self._look_up(teacher, distinct)
        self._add_saving(teacher, int(stored.sum()), time.perf_counter() - started)
        missing = agreed_rows(np.flatnonzero(~stored), accelerator)
        if len(missing):
            is_main = accelerator is None or accelerator.is_main_process
            show = progress and is_main
            if self._ready is not None and is_main:
                message = "%s: %s of %s texts are neither there nor in the cache; they are encoded and cached"
                logger.warning(message, self._ready.folder, f"{len(missing):,}", f"{len(distinct):,}")
            # a size that does not depend on timing, since all processes need the same chunks
            size = int(max(_SMALLEST_CHUNK, min(_CHUNK, _CHUNK_WORK / max(1, teacher.parameters))))
            with encoding_progress(teacher, len(missing), show) as advance:
                for start in range(0, len(missing), size):
                    chunk = missing[start : start + size]
                    vectors[chunk] = self._encode(teacher, [distinct[i] for i in chunk], accelerator, advance)
        if len(distinct) == len(texts):
            return vectors
        position = {text: i for i, text in enumerate(distinct)}
        return vectors[np.fromiter((position[text] for text in texts), dtype=np.int64, count=len(texts))]

    def encoding_time(self, teacher: Teacher, texts: Sequence[str]) -> tuple[int, float]:
        """Estimate how long `embed` will encode, from a sample of missing texts, which it stores.

        Returns:
            Number of missing texts, and seconds.
        """
        distinct = list(dict.fromkeys(texts))
        _, stored = self._look_up(teacher, distinct)
        missing = np.flatnonzero(~stored)
        if not len(missing):
            return 0, 0.0
        count = _WARM_UP + _SAMPLE
        rows = missing[np.linspace(0, len(missing) - 1, min(count, len(missing))).astype(int)]
        first, sample = ([distinct[i] for i in part] for part in (rows[:_WARM_UP], rows[_WARM_UP:]))
        self._encode(teacher, first, None, lambda _: None)
        if not sample:
            return 0, 0.0
        start = time.perf_counter()
        self._encode(teacher, sample, None, lambda _: None)
        rest = len(missing) - len(rows)
        return rest, (time.perf_counter() - start) / len(sample) * rest

    def shelves(self) -> list[Shelf]:
        """List the stored embeddings by teacher and precision."""
        return self._store.shelves()

    def delete(self, wanted: Callable[[str, float], bool]) -> int:
        """Delete chunks and release their disk space.

        Args:
            wanted: Function of a teacher's fingerprint and a chunk's time of last use (Unix time); returns whether to
                delete the chunk.

        Returns:
            Number of deleted embeddings.
        """
        removed = self._store.delete(wanted)
        self._store.compact()
        return removed

    def clear(self) -> None:
        """Delete everything."""
        self._store.clear()

    def _encode(
        self, teacher: Teacher, texts: list[str], accelerator: Accelerator | None, advance: Callable[[int], object]
    ) -> np.ndarray:
        started = time.perf_counter()
        vectors = encode_distributed(teacher, texts, accelerator, advance)
        seconds = time.perf_counter() - started
        if accelerator is None or accelerator.is_local_main_process:
            self.put_many(teacher.fingerprint, texts, vectors, teacher=teacher.name, seconds=seconds)
        if accelerator is not None:
            accelerator.wait_for_everyone()  # no process looks up embeddings before they are stored
        # rounded like the stored copy, so that the first call returns the same values as later ones
        return vectors.astype(PRECISIONS[self.precision])

    def _look_up(self, teacher: Teacher, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        if self._ready is not None:
            self._ready.check_teacher(teacher)
        return self._read(teacher.fingerprint, texts, teacher.dimension)

    def _read(self, fingerprint: str, texts: Sequence[str], dimension: int) -> tuple[np.ndarray, np.ndarray]:
        keys = cache_keys(texts)
        vectors = np.zeros((len(texts), dimension), dtype=np.float32)
        if self._ready is None or fingerprint != self._ready.fingerprint:
            stored = self._store.read(fingerprint, self.precision, keys, vectors)
        else:
            stored = self._ready.read(keys, vectors)
            self._ready.check_data(len(texts), int(stored.sum()))
            rows = np.flatnonzero(~stored)
            rest = np.zeros((len(rows), dimension), dtype=np.float32)
            stored[rows] = self._store.read(fingerprint, self.precision, [keys[row] for row in rows], rest)
            vectors[rows] = rest
        hits = int(stored.sum())
        self._hits, self._misses = self._hits + hits, self._misses + len(texts) - hits
        return vectors, stored

    def _add_saving(self, teacher: Teacher, hits: int, seconds: float) -> None:
        facts = self._store.facts(teacher.fingerprint, self.precision)
        if hits and facts.get("texts"):
            self._saved += max(0.0, hits * facts["seconds"] / facts["texts"] - seconds)


def open_cache(folder: Path | None) -> EmbeddingCache:
    """Open the cache in `folder`, by default the one that all commands share.

    Raises:
        ModelError: `folder` contains no cache.
    """
    if folder is not None and not (folder.expanduser() / LAYOUT).is_dir():
        raise ModelError(f"{folder}: no embedding cache; the default one is at {default_folder()}")
    return EmbeddingCache(folder)


def clear_cache(cache: EmbeddingCache, teacher: str | None = None, older_than: float | None = None) -> int:
    """Remove vectors from a cache and release their disk space.

    Args:
        cache: Cache to clear.
        teacher: Remove only vectors of this teacher: its name, or at least the first 4 characters of its fingerprint.
        older_than: Remove only vectors not used for this many days. Last use is recorded per chunk, to the day.

    Returns:
        Number of removed vectors.

    Raises:
        ModelError: The cache has no vectors of this teacher.
    """
    shelves = cache.shelves()
    if teacher is None and older_than is None:
        cache.clear()
        for path in other_files(cache.folder):
            path.unlink(missing_ok=True)
        shutil.rmtree(indexes_folder(cache.folder), ignore_errors=True)
        return sum(shelf.vectors for shelf in shelves)
    matches = {s.fingerprint for s in shelves if teacher is None or s.teacher == teacher}
    matches |= {s.fingerprint for s in shelves if teacher and len(teacher) >= 4 and s.fingerprint.startswith(teacher)}
    if teacher is not None and not matches:
        teachers = ", ".join(sorted({s.teacher or s.fingerprint[:12] for s in shelves})) or "none"
        raise ModelError(f"no vectors of teacher {teacher} in {cache.folder}; its teachers: {teachers}")
    limit = time.time() - (older_than or 0) * 24 * 3600
    return cache.delete(lambda fingerprint, used: fingerprint in matches and (older_than is None or used <= limit))


def other_files(folder: Path) -> list[Path]:
    """List the files that another version of this project left in the cache folder."""
    return [folder / name for name in ("data.mdb", "lock.mdb") if (folder / name).is_file()]
