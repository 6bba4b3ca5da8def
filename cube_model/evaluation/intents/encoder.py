"""Encoders of utterances: a frozen encoder, a core on top of one, or a SentenceTransformer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.methods import Method, core, identity
from cube_model.inference.loading import core_fingerprint, load_core, teacher_of
from cube_model.machine import default_device
from cube_model.metrics.metrics import normalize
from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.teacher.teacher import Teacher, turn_separator
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_CHUNK = 4096
"""Number of utterances that a core maps at a time."""


class IntentEncoder:
    """Encoder of utterances that uses the embedding cache.

    Args:
        teacher: Frozen encoder: short name, folder, Hub repository, SentenceTransformer, or an object with the
            interface of `Teacher`. Default: minilm. With a core: where to find the core's teacher.
        model: Trained core: folder or Hub repository. It maps each utterance as a question without context.
        dtype: See `Teacher.load`. A core's teacher keeps the data type of the training.
        cache: Embedding cache. Default: the user's cache.
        progress: Show a progress bar while texts are encoded.

    Attributes:
        name: Name of the encoder.
        method: `"identity"` for the encoder alone, or `"trained core"`.
        parameters: Number of trained parameters on top of the encoder.
        core: The trained core on top of the encoder; None without one.
        device: Torch device of the encoder.
    """

    def __init__(
        self,
        teacher: str | os.PathLike[str] | SentenceTransformer | None = None,
        model: str | os.PathLike[str] | None = None,
        *,
        dtype: str = "float32",
        cache: EmbeddingCache | None = None,
        progress: bool = False,
    ) -> None:
        self._cache, self._progress = cache or EmbeddingCache(), progress
        self.core = trained = load_core(model) if model is not None else None
        self.device = default_device()
        self._map: Method = identity()
        if teacher is not None and not isinstance(teacher, str | os.PathLike):
            is_teacher = hasattr(teacher, "fingerprint")
            self.teacher: Any = teacher if is_teacher else _SentenceTransformerTeacher(teacher)
            self.device = str(getattr(teacher, "device", self.device))
        elif trained is None:
            self.teacher = Teacher.load(teacher or DEFAULT_TEACHER, dtype)
        else:
            self.teacher = teacher_of(trained, None if teacher is None else str(teacher))
        self._core_fingerprint = None
        if trained is not None:
            self._core_fingerprint = core_fingerprint(trained)
            self._map = core(trained)
        self.name, self.method, self.parameters = self.teacher.name, self._map.name, self._map.parameters

    @property
    def fingerprints(self) -> dict[str, str | None]:
        """Fingerprints of the encoder and of the core (None without a core)."""
        return {"teacher": self.teacher.fingerprint, "model": self._core_fingerprint}

    def describe(self) -> dict[str, Any]:
        """Describe the encoder for the JSON file."""
        return dict(self.teacher.describe())

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode n texts as float32 `[n, d]`, with rows of norm 1."""
        return self._mapped(self._cache.embed(self.teacher, texts, progress=self._progress))

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        """Encode n texts like `encode`, but without the cache; for timing."""
        return self._mapped(self.teacher.encode(texts))

    def encode_turns(self, histories: Sequence[Sequence[str]]) -> np.ndarray:
        """Encode n sequences of turns, the most recent turn first, as float32 `[n, d]`, with rows of norm 1.

        An encoder reads each as one text. A core reads the vectors of as many turns as it was trained with.
        """
        if self.core is None:
            return self.encode([self.teacher.turn_separator.join(turns) for turns in histories])
        read = [turns[: self._map.turns] for turns in histories]
        vectors = self._cache.embed(self.teacher, [text for turns in read for text in turns], progress=self._progress)
        rows = np.repeat(np.arange(len(read)), [len(turns) for turns in read])
        places = np.concatenate([np.arange(len(turns)) for turns in read])
        turns = np.zeros((len(read), self._map.turns, vectors.shape[1]), dtype=np.float32)
        turns[rows, places] = vectors
        return self._of_turns(turns)

    def _mapped(self, vectors: np.ndarray) -> np.ndarray:
        if self.core is None:
            return np.asarray(normalize(vectors), dtype=np.float32)
        turns = np.zeros((len(vectors), self._map.turns, vectors.shape[1]), dtype=np.float32)
        turns[:, 0] = vectors  # the context turns stay zero, as at the beginning of a dialogue
        return self._of_turns(turns)

    def _of_turns(self, turns: np.ndarray) -> np.ndarray:
        parts = [self._map.questions(turns[start : start + _CHUNK]) for start in range(0, len(turns), _CHUNK)]
        return np.asarray(normalize(np.concatenate(parts)), dtype=np.float32)


class _SentenceTransformerTeacher:
    """Adapter that gives a SentenceTransformer the interface of a `Teacher`."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self.name = model.model_card_data.base_model or "SentenceTransformer"
        self.dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        probe = model.encode(["Hello, World!"], normalize_embeddings=True, show_progress_bar=False)
        self.dimension = int(probe.shape[1])
        digest = hashlib.sha256(
            repr((str(model), model.max_seq_length, model.prompts, model.default_prompt_name)).encode()
        )
        for name, value in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().float().numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    @property
    def turn_separator(self) -> str:
        return turn_separator(self._model.tokenizer)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dimension": self.dimension,
            "dtype": self.dtype,
            "normalize": True,
            "fingerprint": self.fingerprint,
        }

    def encode(self, texts: Sequence[str], *, advance: Callable[[int], object] | None = None) -> np.ndarray:
        vectors = self._model.encode(list(texts), show_progress_bar=False)
        if advance:
            advance(len(texts))
        return normalize(np.asarray(vectors, dtype=np.float32))
