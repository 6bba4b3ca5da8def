"""Turn texts into embeddings with one object: a teacher, its fallbacks and the cache.

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
from cube_model.vectors.distributed import encode_distributed


class EmbeddingLoader:
    """A teacher with an embedding cache.

    Args:
        teacher: Short name, Hub repository or local folder; see `Teacher.load`.
        teacher_model: Alias of `teacher`.
        fallback: Teachers to try, in this order, if that one is unavailable.
        dtype: `"float32"`, `"bfloat16"`, `"float16"` or `"auto"`.
        device: Torch device. Default: the first accelerator, otherwise the processor.
        use_cache: Whether to cache embeddings on disk.
        cache_dir: Cache folder. Default: `default_folder()`.
        cache_precision: `"float32"` or `"float16"`.
        pooling: `"mean"`, `"cls"` (first token) or `"last"` (last token). Default: the model's own.
        prefix: Text prepended to every text. Default: the model's own.
        normalize: Whether to scale embeddings to norm 1. Default: the model's own setting.
        max_length: Maximum number of tokens per text. Default: the model's own.
        revision: Branch, tag or commit of the Hub repository.

    Attributes:
        teacher: Loaded teacher. It never changes, so all embeddings of a loader come from the same teacher.
        cache: Embedding cache; None without `use_cache`.

    Raises:
        ModelError: No teacher is available, or the cache folder cannot be written.

    Example:
        >>> loader = EmbeddingLoader("minilm")
        >>> loader.embed(["I need a table for two."]).shape
        (1, 384)
    """

    def __init__(
        self,
        teacher: str | os.PathLike[str] = DEFAULT_TEACHER,
        *,
        teacher_model: str | os.PathLike[str] | None = None,
        fallback: Sequence[str | os.PathLike[str]] = (),
        dtype: str = "float32",
        device: str | None = None,
        use_cache: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_precision: str = "float32",
        pooling: str | None = None,
        prefix: str | None = None,
        normalize: bool | None = None,
        max_length: int | None = None,
        revision: str | None = None,
    ) -> None:
        self.teacher = Teacher.load(
            teacher_model or teacher,
            dtype,
            device,
            pooling=pooling,
            prefix=prefix,
            normalize=normalize,
            max_length=max_length,
            revision=revision,
            fallback=fallback,
        )
        self.cache = EmbeddingCache(cache_dir, precision=cache_precision) if use_cache else None

    @property
    def dimension(self) -> int:
        """Dimension of the embeddings."""
        return self.teacher.dimension

    @property
    def cache_stats(self) -> CacheStats:
        """Statistics of the cache; all 0 without a cache."""
        return self.cache.stats if self.cache is not None else CacheStats()

    def describe(self) -> dict[str, Any]:
        """Return the facts of the teacher, including the fallbacks used; see `Teacher.describe`."""
        return self.teacher.describe()

    def embed(self, texts: Sequence[str], *, progress: bool = False, accelerator: Any = None) -> np.ndarray:
        """Return embeddings of texts, float32 `[n, dimension]`.

        Args:
            texts: n texts.
            progress: Whether to show a progress bar; requires a cache.
            accelerator: Accelerator of a run in several processes. All of them must pass the same texts; each encodes
                a share of them.
        """
        if self.cache is not None:
            return self.cache.embed(self.teacher, texts, progress=progress, accelerator=accelerator)
        return encode_distributed(self.teacher, texts, accelerator)
