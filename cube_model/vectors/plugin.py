"""A teacher and its cache as the encoder that `dataset_builders` finds by entry point (`dialogue_cube.encoders`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache


class TeacherEncoder:
    """A frozen teacher behind the embedding cache: a second build encodes nothing again.

    Args:
        name: What `Teacher.load` takes; the precision is the fastest that the processor computes natively.

    Raises:
        ModelError: The teacher cannot be found or read, or the cache cannot be written.
    """

    def __init__(self, name: str) -> None:
        self._teacher, self._cache = Teacher.load(name, "auto"), EmbeddingCache()
        self.name = self._teacher.name
        self.fingerprint = self._teacher.fingerprint

    def encode(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Float32 `[n, d]`, every row of length 1."""
        return self._cache.embed(self._teacher, texts, progress=progress)


def load_encoder(name: str) -> TeacherEncoder:
    """The entry point: the teacher of this name."""
    return TeacherEncoder(name)
