"""The data that a core is trained on: pairs of both splits, and their embeddings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.errors import ModelError


@dataclass(frozen=True)
class TrainingData:
    """Pairs for training and validation, the embeddings that they index, and the teacher that made these.

    Attributes:
        train, validation: Pairs of the two splits; `texts` may be empty strings if only the embeddings are known.
        train_vectors, validation_vectors: float32 `[m + 1, dimension]`: one embedding of norm 1 per text and a last row
            of zeros, as `QuestionAnswerPairs.embed` returns them.
        teacher: `Teacher.describe()`, or `{"name": ..., "fingerprint": ..., "dimension": ...}` for ready-made
            embeddings.
        location: `location_of` the dataset; empty where the pairs come from elsewhere.

    Raises:
        ModelError: A split has no pairs, the shape of a table does not match its pairs, or an embedding is not finite.
    """

    train: QuestionAnswerPairs
    train_vectors: np.ndarray
    validation: QuestionAnswerPairs
    validation_vectors: np.ndarray
    teacher: dict[str, Any]
    location: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        splits = (("train", self.train, self.train_vectors), ("validation", self.validation, self.validation_vectors))
        for name, pairs, vectors in splits:
            if not len(pairs):
                raise ModelError(f"{name}: no pairs; give at least one")
            if vectors.shape != (len(pairs.texts) + 1, self.dimension) or vectors.dtype != np.float32:
                raise ModelError(
                    f"{name}: vectors {vectors.dtype} {list(vectors.shape)}: expected float32 "
                    f"[{len(pairs.texts) + 1}, {self.dimension}], one row per text and a last row of zeros"
                )
            if not np.isfinite(vectors).all():
                raise ModelError(
                    f"{name}: teacher {self.teacher.get('name')} ({self.teacher.get('dtype')}) gives vectors that are "
                    "not finite; try float32"
                )

    @property
    def dimension(self) -> int:
        """Dimension of the embeddings."""
        return int(self.train_vectors.shape[1])

    @property
    def context_turns(self) -> int:
        """Number of turns before each question that the pairs include."""
        return int(self.train.questions.shape[1]) - 1

    def joined(self) -> TrainingData:
        """Return the same data, with the validation pairs among the training pairs too, after the others."""
        offset, vectors = 0, self.train_vectors
        if self.validation_vectors is not vectors:
            offset, vectors = len(self.train.texts), np.concatenate([vectors[:-1], self.validation_vectors])
        train = self.train.extended(self.validation, offset)
        validation = train.select(np.arange(len(self.train), len(train)))
        return replace(self, train=train, train_vectors=vectors, validation=validation, validation_vectors=vectors)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the pairs of both splits and the teacher: equal for equal training data."""
        facts = (self.train.fingerprint, self.validation.fingerprint, self.teacher.get("fingerprint"))
        return hashlib.sha256(repr(facts).encode()).hexdigest()


@runtime_checkable
class TrainingDataset(Protocol):
    """A dataset that `CubeTrainer.train` accepts."""

    def training_data(self) -> TrainingData:
        """Return the pairs of both splits and their embeddings."""
        ...
