"""A trained core as a function of embeddings, one or many at a time, with metrics.

>>> from cube_model import EmbeddingProcessor, Teacher
>>> processor = EmbeddingProcessor.from_pretrained("core")
>>> processor.process(Teacher.load("minilm").encode(["Do you have parking?"])[0]).shape
(384,)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.metrics.metrics import normalize

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from cube_model.core.modeling_cube import CubeModel

MODES = ("dialogue", "autoencoder", "generator")

_CHUNK = 4096
"""Embeddings mapped at once; bounds the memory."""


class EmbeddingProcessor:
    """Map embeddings through a core, one or many at a time. The results are float32 of norm 1.

    Args:
        model: Core, trained or not.
        mode: `"dialogue"`: map questions to answers; `"generator"`: the same, meant for `variations`;
            `"autoencoder"`: encode and decode. Default: the core's mode.
        seed: Random seed of `variations`.

    Raises:
        ModelError: The core has another mode.

    Example:
        >>> import numpy
        >>> from cube_model import CubeConfig, CubeModel
        >>> processor = EmbeddingProcessor(CubeModel(CubeConfig(embedding_dim=384)), mode="generator")
        >>> question = numpy.eye(384, dtype=numpy.float32)[0]
        >>> processor.variations(question, count=8, temperature=0.5).shape
        (8, 384)
    """

    def __init__(self, model: CubeModel, mode: str | None = None, *, seed: int = 0) -> None:
        mode = mode or model.config.mode
        if mode not in MODES:
            raise ModelError(f"mode is {mode!r}: expected one of {', '.join(MODES)}")
        if (mode == "autoencoder") != (model.config.mode == "autoencoder"):
            raise ModelError(f"mode {mode}: this core has mode {model.config.mode}; train one with mode {mode}")
        self.model, self.mode = model.eval(), mode
        self._random = np.random.default_rng(seed)

    @classmethod
    def from_pretrained(
        cls, model: str | os.PathLike[str], mode: str | None = None, *, seed: int = 0
    ) -> EmbeddingProcessor:
        """Load a core from a folder or Hub repository.

        Raises:
            ModelError: It is not a trained core, or has another mode.
        """
        from cube_model.inference.loading import load_core

        return cls(load_core(model), mode, seed=seed)

    def process(self, vector: np.ndarray | torch.Tensor) -> np.ndarray:
        """Map one embedding: `[dimension]` to `[dimension]`."""
        return self.process_batch(self._array(vector, 1)[None])[0]

    def process_batch(self, vectors: np.ndarray | torch.Tensor) -> np.ndarray:
        """Map questions: `[n, dimension]`, or `[n, turns, dimension]` with context, to `[n, dimension]`."""
        return self._map(self.model.encode_questions, self._array(vectors, 2, 3))

    def process_answers(self, vectors: np.ndarray | torch.Tensor) -> np.ndarray:
        """Map answers: `[n, dimension]` to `[n, dimension]`, to compare with the results of `process_batch`.

        A core that does not map answers only normalises them.
        """
        return self._map(self.model.encode_answers, self._array(vectors, 2))

    def encode(self, vectors: np.ndarray | torch.Tensor) -> np.ndarray:
        """Encode `[n, dimension]` to codes `[n, code_size]` (not of norm 1); autoencoders only."""
        return np.concatenate(list(self._chunks(self._code(self.model.encode_code), self._array(vectors, 2))))

    def decode(self, codes: np.ndarray | torch.Tensor) -> np.ndarray:
        """Decode codes `[n, code_size]` to `[n, dimension]`; autoencoders only."""
        return self._map(self._code(self.model.decode_code), self._array(codes, 2))

    def variations(self, vector: np.ndarray | torch.Tensor, count: int = 8, *, temperature: float = 0.3) -> np.ndarray:
        """Sample random variations of the answer to one question.

        Gaussian noise is added to the question and its context, as in training, so that the samples stay in the region
        that the core has learned.

        Args:
            vector: Question `[dimension]`, or `[turns, dimension]` with context.
            count: Number of variations, at least 1.
            temperature: Norm of the noise, for embeddings of norm 1; training uses 0.3 by default, and 0 returns the
                answer itself.

        Returns:
            float32 `[count, dimension]`, for a search of the nearest real answers.

        Raises:
            ModelError: The core is an autoencoder, or `temperature` or `count` is out of range.
        """
        if self.mode == "autoencoder":
            raise ModelError("variations need a core of mode dialogue; this one is an autoencoder")
        if temperature < 0 or count < 1:
            raise ModelError(f"temperature is {temperature} and count {count}: expected 0 or more and at least 1")
        turns = np.atleast_2d(self._array(vector, 1, 2))
        noise = self._random.standard_normal((count, *turns.shape)).astype(np.float32)
        return self.process_batch(turns + temperature / np.sqrt(turns.shape[-1]) * noise)

    def metrics(self, vectors: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor) -> dict[str, float]:
        """Compare mapped embeddings with their targets.

        Args:
            vectors: Questions, as for `process_batch`.
            targets: Embeddings of the answers, or for an autoencoder `vectors` again: `[n, dimension]`.

        Returns:
            `mean_cosine`, `median_cosine` and `min_cosine` to the targets, `mse` at norm 1, and, except for an
            autoencoder, `accuracy_1_of_n`: how often the true one of the n mapped targets is the nearest.

        Raises:
            ModelError: The shapes do not match.
        """
        mapped, normalized = self.process_batch(vectors), normalize(self._array(targets, 2))
        if mapped.shape != normalized.shape:
            raise ModelError(
                f"{len(mapped)} vectors but {len(normalized)} targets of {normalized.shape[-1]} dimensions"
            )
        cosines = (mapped * normalized).sum(1)
        figures = {
            "mean_cosine": float(cosines.mean()),
            "median_cosine": float(np.median(cosines)),
            "min_cosine": float(cosines.min()),
            "mse": float(((mapped - normalized) ** 2).mean()),
        }
        if self.mode != "autoencoder":
            pool = self.process_answers(normalized)
            nearest = [np.argmax(part @ pool.T, axis=1) for part in np.array_split(mapped, -(-len(mapped) // _CHUNK))]
            figures["accuracy_1_of_n"] = float((np.concatenate(nearest) == np.arange(len(mapped))).mean())
        return figures

    def _code(self, function: Any) -> Any:
        if self.mode != "autoencoder":
            raise ModelError(f"codes need a core of mode autoencoder; this one has mode {self.model.config.mode}")
        return function

    def _array(self, vectors: Any, *axes: int) -> np.ndarray:
        """An array or tensor as a float32 array, checked to have one of some numbers of axes."""
        array = vectors.detach().float().cpu().numpy() if hasattr(vectors, "detach") else np.asarray(vectors)
        if array.ndim not in axes:
            expected = " or ".join(str(number) for number in axes)
            raise ModelError(f"vectors {list(array.shape)}: expected an array with {expected} axes")
        return np.ascontiguousarray(array, dtype=np.float32)

    def _map(self, function: Any, vectors: np.ndarray) -> np.ndarray:
        return normalize(np.concatenate(list(self._chunks(function, vectors))))

    def _chunks(self, function: Any, vectors: np.ndarray) -> Iterator[np.ndarray]:
        mapped = core_function(self.model, function)
        for start in range(0, max(len(vectors), 1), _CHUNK):
            try:
                yield mapped(vectors[start : start + _CHUNK])
            except (ValueError, RuntimeError) as error:
                raise ModelError(f"vectors {list(vectors.shape)}: {str(error).splitlines()[0]}") from error


def core_function(model: PreTrainedModel, function: Callable[..., Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Turn a method of the core, such as `model.encode_questions`, into a function of float32 arrays."""
    import torch

    # an encoder of turns may run in bfloat16; what composes its vectors does not
    dtype = torch.float32 if hasattr(model, "composer") else model.dtype

    def mapped(vectors: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            tensor = torch.from_numpy(np.ascontiguousarray(vectors)).to(model.device, dtype)
            return function(tensor).float().cpu().numpy()

    return mapped


def map_rows(function: Callable[[np.ndarray], np.ndarray], vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compute `function(vectors[rows])` in chunks, to bound the memory for the gathered embeddings.

    Args:
        function: Maps `[b, ...]` to `[b, dimension]`.
        vectors: `[m, dimension]`.
        rows: int `[n]`, or `[n, turns]`.

    Returns:
        `[n, dimension]`.
    """
    parts = [function(vectors[rows[start : start + _CHUNK]]) for start in range(0, max(len(rows), 1), _CHUNK)]
    return np.concatenate(parts)
