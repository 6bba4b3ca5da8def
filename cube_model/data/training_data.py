"""What training takes of any dataset: pairs of training and validation, and their vectors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.errors import ModelError

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class TrainingData:
    """All that training needs to know of its data: index rows over tables of vectors, and whose vectors they are.

    Attributes:
        train, validation: n and k pairs; `texts` may be empty strings where only vectors are known.
        train_vectors, validation_vectors: float32 `[m + 1, d]`, one row a text of length 1 and a last row of zeros,
            as `QuestionAnswerPairs.embed` gives them.
        teacher: `Teacher.describe()`, or `{"name": ..., "fingerprint": ..., "dimension": d}` of ready-made vectors.

    Raises:
        ModelError: Tables and pairs do not fit each other, or a vector is not finite.
    """

    train: QuestionAnswerPairs
    train_vectors: np.ndarray
    validation: QuestionAnswerPairs
    validation_vectors: np.ndarray
    teacher: dict[str, Any]

    def __post_init__(self) -> None:
        halves = (("train", self.train, self.train_vectors), ("validation", self.validation, self.validation_vectors))
        for name, pairs, vectors in halves:
            if not len(pairs):
                raise ModelError(f"{name}: no pairs; give at least one")
            if vectors.shape != (len(pairs.texts) + 1, self.dimension) or vectors.dtype != np.float32:
                raise ModelError(
                    f"{name}: vectors {vectors.dtype} {list(vectors.shape)}: expected float32 "
                    f"[{len(pairs.texts) + 1}, {self.dimension}], one row a text and a last row of zeros"
                )
            if not np.isfinite(vectors).all():
                raise ModelError(
                    f"{name}: teacher {self.teacher.get('name')} ({self.teacher.get('dtype')}) gives vectors that are "
                    "not finite; try float32"
                )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.train_vectors.shape[1])

    @property
    def context_turns(self) -> int:
        """Earlier turns that the pairs hold."""
        return int(self.train.questions.shape[1]) - 1

    @property
    def fingerprint(self) -> str:
        """sha256 over the pairs of both halves and the teacher: equal for equal training data."""
        facts = (self.train.fingerprint, self.validation.fingerprint, self.teacher.get("fingerprint"))
        return hashlib.sha256(repr(facts).encode()).hexdigest()


@runtime_checkable
class TrainingDataset(Protocol):
    """What `CubeTrainer.train` takes: anything that can hand over its pairs and their vectors."""

    def training_data(self) -> TrainingData:
        """Pairs and vectors of training and validation."""
        ...
