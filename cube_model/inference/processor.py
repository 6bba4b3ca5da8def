"""A trained core as a function of vectors: one or many at a time, with its figures.

>>> from cube_model.inference.processor import EmbeddingProcessor
>>> processor = EmbeddingProcessor.from_pretrained("my-core")
>>> processor.process(question_vector).shape
(768,)
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

    from cube_model.core.modeling_cube import CubeModel

MODES = ("dialogue", "autoencoder", "generator")

_CHUNK = 4096
"""Vectors mapped at a time: bounds the memory."""


class EmbeddingProcessor:
    """The single-vector and batch face of a core. All vectors come back as float32 of length 1.

    Args:
        model: A core, trained or not.
        mode: `"dialogue"`: question to answer; `"generator"`: the same, `variations` being its purpose;
            `"autoencoder"`: a vector through the code and back. The core's own when not given.
        seed: Of the variations: equal calls on equal processors give equal vectors.

    Raises:
        ModelError: The core was not made for this mode.

    Example:
        >>> processor = EmbeddingProcessor(model, mode="generator")
        >>> samples = processor.variations(question_vector, count=8, temperature=0.5)  # [8, 768]
        >>> [answer.text for sample in samples for answer in retriever.nearest(sample, k=1)]
    """

    def __init__(self, model: CubeModel, mode: str | None = None, *, seed: int = 0) -> None:
        mode = mode or model.config.mode
        if mode not in MODES:
            raise ModelError(f"mode is {mode!r}: expected one of {', '.join(MODES)}")
        if (mode == "autoencoder") != (model.config.mode == "autoencoder"):
            raise ModelError(f"mode {mode}: this core was made for mode {model.config.mode}; train one for {mode}")
        self.model, self.mode = model.eval(), mode
        self._random = np.random.default_rng(seed)

    @classmethod
    def from_pretrained(
        cls, model: str | os.PathLike[str], mode: str | None = None, *, seed: int = 0
    ) -> EmbeddingProcessor:
        """A core of a folder or Hub repository.

        Raises:
            ModelError: There is none, or it was not made for this mode.
        """
        from cube_model.inference.loading import load_core

        return cls(load_core(model), mode, seed=seed)

    def process(self, vector: np.ndarray | torch.Tensor) -> np.ndarray:
        """Map one vector `[dimension]` to `[dimension]`."""
        return self.process_batch(self._array(vector, 1)[None])[0]

    def process_batch(self, vectors: np.ndarray | torch.Tensor) -> np.ndarray:
        """Map `[n, dimension]`, or `[n, turns, dimension]` with earlier turns, to `[n, dimension]`."""
        return self._map(self.model.encode_questions, self._array(vectors, 2, 3))

    def process_answers(self, vectors: np.ndarray | torch.Tensor) -> np.ndarray:
        """What `process_batch` is to be compared with: answers `[n, dimension]`, mapped where the core maps them."""
        return self._map(self.model.encode_answers, self._array(vectors, 2))

    def encode(self, vectors: np.ndarray | torch.Tensor) -> np.ndarray:
        """Codes `[n, code_size]` of `[n, dimension]`; of an autoencoder only, and not of length 1."""
        return np.concatenate(list(self._chunks(self._code(self.model.encode_code), self._array(vectors, 2))))

    def decode(self, codes: np.ndarray | torch.Tensor) -> np.ndarray:
        """Vectors `[n, dimension]` of codes `[n, code_size]`; of an autoencoder only."""
        return self._map(self._code(self.model.decode_code), self._array(codes, 2))

    def variations(self, vector: np.ndarray | torch.Tensor, count: int = 8, *, temperature: float = 0.3) -> np.ndarray:
        """Random variations around the answer to one question.

        The noise is put on the question and the turns before it, and goes through the core: training put the same
        noise there, so the samples stay where the core has learned.

        Args:
            vector: `[dimension]`, or `[turns, dimension]`.
            count: How many.
            temperature: Length of the noise on vectors of length 1; training's own is 0.3, and 0 gives the answer
                itself `count` times.

        Returns:
            float32 `[count, dimension]`; search the nearest real answers with them.
        """
        if self.mode == "autoencoder":
            raise ModelError("variations need a core of mode dialogue, this one is an autoencoder")
        if temperature < 0 or count < 1:
            raise ModelError(f"temperature is {temperature} and count {count}: expected 0 or more and at least 1")
        given = self._array(vector, 1, 2)
        turns = given[None] if given.ndim == 1 else given
        noise = self._random.standard_normal((count, *turns.shape)).astype(np.float32)
        return self.process_batch(turns + temperature / np.sqrt(turns.shape[-1]) * noise)

    def metrics(self, vectors: np.ndarray | torch.Tensor, targets: np.ndarray | torch.Tensor) -> dict[str, float]:
        """How near mapped vectors come to their targets.

        Args:
            vectors: As `process_batch` takes them.
            targets: `[n, dimension]`: the answers' own vectors, or for an autoencoder the vectors themselves.

        Returns:
            `mean_cosine`, `median_cosine`, `min_cosine` to the targets, `mse` of vectors of length 1, and, but for an
            autoencoder, `accuracy_1_of_n`: how often the true one of the n mapped targets is the nearest.
        """
        mapped, wanted = self.process_batch(vectors), normalize(self._array(targets, 2))
        if mapped.shape != wanted.shape:
            raise ModelError(f"{len(mapped)} vectors but {len(wanted)} targets of {wanted.shape[-1]} numbers")
        cosines = (mapped * wanted).sum(1)
        figures = {
            "mean_cosine": float(cosines.mean()),
            "median_cosine": float(np.median(cosines)),
            "min_cosine": float(cosines.min()),
            "mse": float(((mapped - wanted) ** 2).mean()),
        }
        if self.mode != "autoencoder":
            pool = self.process_answers(wanted)
            found = [np.argmax(part @ pool.T, axis=1) for part in np.array_split(mapped, -(-len(mapped) // _CHUNK))]
            figures["accuracy_1_of_n"] = float((np.concatenate(found) == np.arange(len(mapped))).mean())
        return figures

    def _code(self, function: Any) -> Any:
        if self.mode != "autoencoder":
            raise ModelError(f"codes need a core of mode autoencoder, this one is of mode {self.model.config.mode}")
        return function

    def _array(self, vectors: Any, *dimensions: int) -> np.ndarray:
        given = vectors.detach().float().cpu().numpy() if hasattr(vectors, "detach") else np.asarray(vectors)
        if given.ndim not in dimensions:
            expected = " or ".join(str(number) for number in dimensions)
            raise ModelError(f"vectors {list(given.shape)}: expected an array of {expected} dimensions")
        return np.ascontiguousarray(given, dtype=np.float32)

    def _map(self, function: Any, vectors: np.ndarray) -> np.ndarray:
        return normalize(np.concatenate(list(self._chunks(function, vectors))))

    def _chunks(self, function: Any, vectors: np.ndarray) -> Iterator[np.ndarray]:
        mapped = core_function(self.model, function)
        for start in range(0, max(len(vectors), 1), _CHUNK):
            try:
                yield mapped(vectors[start : start + _CHUNK])
            except (ValueError, RuntimeError) as error:
                raise ModelError(f"vectors {list(vectors.shape)}: {str(error).splitlines()[0]}") from error


def core_function(model: CubeModel, function: Callable[..., Any]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of the core, such as `model.encode_questions`, as a function of float32 arrays."""
    import torch

    def mapped(vectors: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(vectors)).to(model.device, model.dtype)
            return function(given).float().cpu().numpy()

    return mapped


def map_rows(function: Callable[[np.ndarray], np.ndarray], vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`function(vectors[rows])`, some thousand rows at a time: bounds the memory for the gathered vectors.

    Args:
        function: `[b, ...]` -> `[b, d]`.
        vectors: `[m, d]`.
        rows: int `[n]`, or `[n, turns]`.
    """
    parts = [function(vectors[rows[start : start + _CHUNK]]) for start in range(0, max(len(rows), 1), _CHUNK)]
    return np.concatenate(parts)
