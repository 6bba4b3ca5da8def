"""What a server needs of an assistant, and the same of an encoder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from cube_model.teacher.teacher import Teacher


class Embeds(Protocol):
    """Something with embeddings; one thread at a time calls it."""

    @property
    def info(self) -> Mapping[str, Any]:
        """Record with at least the name of the encoder (`encoder.name`) and its fingerprint (`encoder.fingerprint`)."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of n texts, float32 `[n, dimension]`, with norm 1."""


@runtime_checkable
class Answers(Protocol):
    """Something with answers and intents, such as a `DialogueAssistant`."""

    @property
    def version(self) -> int:
        """Version of the answers, which grows with each change."""

    def reply_many(self, requests: Sequence[Any]) -> Sequence[Any]:
        """Replies to requests, which have `text`, `context`, `where` and `k`."""

    def intent_many(self, texts: Sequence[str]) -> Sequence[Any]:
        """Intents of texts."""


class EncoderBackend:
    """An encoder without answers.

    Args:
        teacher: The encoder.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.info = {"encoder": teacher.describe()}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of n texts, float32 `[n, dimension]`, with norm 1."""
        import numpy as np

        vectors = self._teacher.encode(texts)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, 1e-12)  # some encoders do not scale their embeddings
