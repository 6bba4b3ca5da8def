"""Cached teacher as an encoder for `dataset_builders`, which loads it by the entry point `dialogue_cube.encoders`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache


class TeacherEncoder:
    """A frozen teacher with the embedding cache, so that a second build does not encode again.

    Args:
        name: Teacher name as in `Teacher.load`. It runs with dtype `"auto"`.

    Raises:
        ModelError: The teacher cannot be found or read, or the cache cannot be written.
    """

    def __init__(self, name: str) -> None:
        self._teacher, self._cache = Teacher.load(name, "auto"), EmbeddingCache()
        self.name = self._teacher.name
        self.fingerprint = self._teacher.fingerprint

    def encode(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Return embeddings of texts, float32 `[n, d]`, from the cache where possible."""
        return self._cache.embed(self._teacher, texts, progress=progress)


def load_encoder(name: str) -> TeacherEncoder:
    """Load the teacher of this name; this function is the entry point."""
    return TeacherEncoder(name)
