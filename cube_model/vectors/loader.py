"""Texts to vectors in one object: a teacher, the teachers that may stand in for it, and the cache.

>>> loader = EmbeddingLoader("llama2", fallback=["distilbert", "minilm"])
>>> loader.embed(["I need a table for two."]).shape
(1, 768)
>>> loader.describe()["fallback_from"]
['llama2']
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import CacheStats, EmbeddingCache
from cube_model.vectors.distributed import encode_together


class EmbeddingLoader:
    """A teacher behind a cache.

    Args:
        teacher_model: Short name, Hub repository or local folder; see `Teacher.load`.
        fallback: Teachers to take, in this order, when it cannot be had.
        dtype: `"float32"`, `"bfloat16"`, `"float16"` or `"auto"`.
        device: Torch device; the first accelerator when not given.
        use_cache: Keep vectors on disk.
        cache_dir: Where; `default_folder()` when not given.
        cache_precision: `"float32"` or `"float16"`.
        **settings: Of `Teacher.load`: pooling, prefix, normalize, max_length, revision.

    Attributes:
        teacher: The teacher that was loaded. It never changes: all vectors of one loader are of one teacher.
        cache: None without `use_cache`.

    Raises:
        ModelError: No teacher can be had, or the cache folder cannot be written.
    """

    def __init__(
        self,
        teacher_model: str | os.PathLike[str] = DEFAULT_TEACHER,
        *,
        fallback: Sequence[str | os.PathLike[str]] = (),
        dtype: str = "float32",
        device: str | None = None,
        use_cache: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_precision: str = "float32",
        **settings: Any,
    ) -> None:
        self.teacher = Teacher.load(teacher_model, dtype, device, fallback=fallback, **settings)
        self.cache = EmbeddingCache(cache_dir, precision=cache_precision) if use_cache else None

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.teacher.dimension

    @property
    def cache_stats(self) -> CacheStats:
        """Hits, misses, bytes and seconds saved; all 0 without a cache."""
        return self.cache.stats if self.cache is not None else CacheStats()

    def describe(self) -> dict[str, Any]:
        """Which teacher it is and whose place it took; see `Teacher.describe`."""
        return self.teacher.describe()

    def embed(self, texts: Sequence[str], *, progress: bool = False, accelerator: Any = None) -> np.ndarray:
        """Vectors of texts, float32 `[n, dimension]`.

        Args:
            texts: n texts.
            progress: Show a progress bar (with a cache).
            accelerator: When several processes call this with the same texts: each encodes its share.
        """
        if self.cache is not None:
            return self.cache.embed(self.teacher, texts, progress=progress, accelerator=accelerator)
        return encode_together(self.teacher, texts, accelerator)
