"""Vectors that were computed once: kept on disk by teacher fingerprint and text, shared by all runs.

>>> cache = EmbeddingCache()
>>> vectors = cache.embed(teacher, ["Hello!", "Goodbye!"])  # the second time: read from disk
>>> cache.stats
CacheStats(hits=0, misses=2, bytes=28672, seconds_saved=0.0)
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.vectors.distributed import agreed_rows, encode_together
from cube_model.vectors.store import KEY_BYTES, LAYOUT, PRECISIONS, Shelf, VectorStore
from dataset_builders.common.progress import encoding_progress

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cube_model.teacher.teacher import Teacher

_CHUNK = 1 << 14
_CHUNK_WORK = _CHUNK * 22.7e6
_SMALLEST_CHUNK = 256
"""Texts encoded between two writes, and texts times parameters: what a killed run has to compute again at most, about
half a minute of a processor whatever the teacher (MiniLM has 22.7 M parameters)."""

_DEFAULT_GB = 20.0

_ADVICE = "set DIALOGUE_CUBE_CACHE to a folder that can be written, on a disk with room"


def default_folder() -> Path:
    """`embeddings` below `DIALOGUE_CUBE_CACHE`, by default below `~/.cache/dialogue-cube`."""
    return Path(os.environ.get("DIALOGUE_CUBE_CACHE") or "~/.cache/dialogue-cube").expanduser() / "embeddings"


def default_max_bytes() -> int:
    """`DIALOGUE_CUBE_CACHE_GB` in bytes, by default 20 GB.

    Raises:
        ModelError: It is not a number above 0.
    """
    given = os.environ.get("DIALOGUE_CUBE_CACHE_GB") or str(_DEFAULT_GB)
    try:
        size = float(given)
    except ValueError:
        size = 0.0
    if not 0 < size < float("inf"):
        raise ModelError(f"DIALOGUE_CUBE_CACHE_GB is {given!r}: expected a number of gigabytes above 0")
    return int(size * 1e9)


@dataclass(frozen=True)
class CacheStats:
    """What a cache was asked for since it was opened.

    Attributes:
        hits: Distinct texts found.
        misses: Distinct texts not found.
        bytes: Size of all that is stored, of every teacher.
        seconds_saved: What encoding the texts found would have taken, at the speed measured when they were encoded,
            less the time that reading them took.
    """

    hits: int = 0
    misses: int = 0
    bytes: int = 0
    seconds_saved: float = 0.0


class EmbeddingCache:
    """A folder of vectors, shared by all teachers. Vectors of two teachers, or of two precisions, never mix.

    Args:
        folder: Where it lies; `default_folder()` when not given. Made when missing.
        precision: `"float32"`, or `"float16"`: half the room, and vectors rounded by up to 0.05 %, the first time too.
        max_bytes: When more is stored, the chunks of the oldest use go; `default_max_bytes()` when not given.

    Raises:
        ModelError: The folder cannot be opened for writing, or an argument is wrong.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        precision: str = "float32",
        max_bytes: int | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ModelError(f"cache precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
        if max_bytes is not None and max_bytes <= 0:
            raise ModelError(f"cache size limit {max_bytes}: expected more than 0 bytes")
        self.folder = Path(folder).expanduser() if folder is not None else default_folder()
        self.precision = precision
        self.max_bytes = max_bytes or default_max_bytes()
        self._store = VectorStore(self.folder, _ADVICE)
        self._hits = self._misses = 0
        self._saved = 0.0

    def __len__(self) -> int:
        return sum(shelf.vectors for shelf in self._store.shelves())

    def __bool__(self) -> bool:
        return True  # an empty cache is a cache: `cache or EmbeddingCache()`

    @property
    def stats(self) -> CacheStats:
        """Figures as of now."""
        return CacheStats(self._hits, self._misses, self._store.size(), round(self._saved, 3))

    def get_many(self, fingerprint: str, texts: Sequence[str]) -> list[np.ndarray | None]:
        """The vectors of texts, float32 `[dimension]` each, None where not stored."""
        dimension = self._store.facts(fingerprint, self.precision).get("dimension", 0)
        vectors, found = self._read(fingerprint, texts, dimension)
        return [vector if there else None for vector, there in zip(vectors, found, strict=True)]

    def put_many(
        self, fingerprint: str, texts: Sequence[str], vectors: np.ndarray, *, teacher: str = "", seconds: float = 0.0
    ) -> None:
        """Store `vectors` `[n, dimension]` of n distinct texts: all of them or none. What is not finite is left out.

        Args:
            fingerprint: Of the teacher.
            texts: n texts.
            vectors: `[n, dimension]`.
            teacher: Its name, which `dialogue-cube cache info` shows.
            seconds: What encoding them took.
        """
        if len(texts) != len(vectors):
            raise ValueError(f"{len(texts)} texts but {len(vectors)} vectors")
        rows = np.flatnonzero(np.isfinite(vectors.astype(PRECISIONS[self.precision])).all(1))
        if not len(rows):
            return
        keys = _keys([texts[i] for i in rows.tolist()])
        self._store.write(fingerprint, self.precision, keys, vectors[rows], teacher=teacher, seconds=seconds)
        if self._store.size() > self.max_bytes:
            # a tenth more than needed, so that not every write has to delete
            self._store.delete(lambda *_: True, stop=lambda: self._store.size() <= 0.9 * self.max_bytes)

    def embed(
        self,
        teacher: Teacher,
        texts: Sequence[str],
        *,
        progress: bool = False,
        accelerator: Accelerator | None = None,
    ) -> np.ndarray:
        """Vectors of texts, from the cache where they are, else from the teacher (and stored).

        Args:
            teacher: Encodes what is missing.
            texts: n texts; equal ones are looked up and encoded once.
            progress: Show a progress bar while texts are encoded.
            accelerator: When several processes call this with the same texts: each encodes its share of what is
                missing, and all return the same vectors.

        Returns:
            float32 `[n, teacher.dimension]`.
        """
        distinct = list(dict.fromkeys(texts))
        started = time.perf_counter()
        vectors, found = self._read(teacher.fingerprint, distinct, teacher.dimension)
        self._note_saving(teacher, int(found.sum()), time.perf_counter() - started)
        missing = agreed_rows(np.flatnonzero(~found), accelerator)
        if len(missing):
            show = progress and (accelerator is None or accelerator.is_main_process)
            # not by the clock: several processes must cut alike
            size = int(max(_SMALLEST_CHUNK, min(_CHUNK, _CHUNK_WORK / max(1, teacher.parameters))))
            with encoding_progress(teacher, len(missing), show) as advance:
                for start in range(0, len(missing), size):
                    part = missing[start : start + size]
                    vectors[part] = self._encode(teacher, [distinct[i] for i in part], accelerator, advance)
        if len(distinct) == len(texts):
            return vectors
        position = {text: i for i, text in enumerate(distinct)}
        return vectors[np.fromiter((position[text] for text in texts), dtype=np.int64, count=len(texts))]

    def shelves(self) -> list[Shelf]:
        """What is stored, by teacher and precision."""
        return self._store.shelves()

    def delete(self, wanted: Callable[[str, float], bool]) -> int:
        """Remove the chunks for which `wanted`(fingerprint, time of last use), and give their room back to the disk.

        Returns:
            Number of vectors removed.
        """
        removed = self._store.delete(wanted)
        self._store.compact()
        return removed

    def clear(self) -> None:
        """Remove everything."""
        self._store.clear()

    def _encode(
        self, teacher: Teacher, texts: list[str], accelerator: Accelerator | None, advance: Callable[[int], object]
    ) -> np.ndarray:
        started = time.perf_counter()
        vectors = encode_together(teacher, texts, accelerator, advance)
        seconds = time.perf_counter() - started
        if accelerator is None or accelerator.is_local_main_process:
            self.put_many(teacher.fingerprint, texts, vectors, teacher=teacher.name, seconds=seconds)
        if accelerator is not None:
            accelerator.wait_for_everyone()  # nobody looks for what is not there yet
        # rounded as it was stored, so that the first use gives what the second will
        return vectors.astype(PRECISIONS[self.precision])

    def _read(self, fingerprint: str, texts: Sequence[str], dimension: int) -> tuple[np.ndarray, np.ndarray]:
        vectors = np.zeros((len(texts), dimension), dtype=np.float32)
        found = self._store.read(fingerprint, self.precision, _keys(texts), vectors)
        hits = int(found.sum())
        self._hits, self._misses = self._hits + hits, self._misses + len(texts) - hits
        return vectors, found

    def _note_saving(self, teacher: Teacher, hits: int, seconds: float) -> None:
        facts = self._store.facts(teacher.fingerprint, self.precision)
        if hits and facts.get("texts"):
            self._saved += max(0.0, hits * facts["seconds"] / facts["texts"] - seconds)


def _keys(texts: Sequence[str]) -> list[bytes]:
    """16 bytes of sha256 each; lone surrogates, which raw data may hold, are hashed as they are."""
    sha256 = hashlib.sha256
    return [sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES] for text in texts]


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
