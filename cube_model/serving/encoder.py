"""An encoder alone, with the part of an assistant's methods that it can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cube_model.teacher.teacher import Teacher


class ServedEncoder:
    """An encoder without answers.

    Args:
        teacher: The encoder.

    Attributes:
        info: Record with `encoder`, as that of an assistant.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.info: dict[str, Any] = {"encoder": teacher.describe()}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of n texts, float32 `[n, dimension]`, with norm 1 also if the encoder does not scale them."""
        vectors = self._teacher.encode(texts)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
