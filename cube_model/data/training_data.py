"""The data that a core is trained on: pairs of both splits, and their embeddings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.data.pair_stream import PairStream


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
            check_finite(name, vectors, self.teacher)

    @property
    def dimension(self) -> int:
        """Dimension of the embeddings."""
        return int(self.train_vectors.shape[1])

    @property
    def pairs(self) -> int:
        """Number of training pairs."""
        return len(self.train)

    @property
    def origins(self) -> set[tuple[str, str, str]]:
        """Distinct (source, licence, language) of the training pairs."""
        return set(zip(self.train.sources, self.train.licenses, self.train.languages, strict=True))

    def question(self, row: int) -> str:
        """Return the text of a training question."""
        return self.train.texts[self.train.questions[row, 0]]

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


@dataclass(frozen=True, kw_only=True)
class StreamedTrainingData(TrainingData):
    """Training pairs that are read as they are needed.

    Attributes:
        train, train_vectors: The first pairs of the stream, with the fingerprint of all of them.
        stream: All training pairs.
        embed: Function that returns the embeddings of pairs, see `QuestionAnswerPairs.embed`.
        buffer: Number of pairs that are shuffled together.
    """

    stream: PairStream
    embed: Callable[[QuestionAnswerPairs], np.ndarray]
    buffer: int

    @property
    def pairs(self) -> int:
        """Number of training pairs."""
        return len(self.stream)

    @property
    def origins(self) -> set[tuple[str, str, str]]:
        """Distinct (source, licence, language) of the training pairs."""
        return self.stream.survey.origins

    def question(self, row: int) -> str:
        """Return the text of a training question."""
        pairs = self.stream.pairs([row])
        return pairs.texts[pairs.questions[0, 0]]

    def load(self, group: int) -> tuple[QuestionAnswerPairs, np.ndarray]:
        """Read the pairs of a row group, without their texts, and their embeddings.

        Raises:
            ModelError: The pairs cannot be read, or an embedding is not finite.
        """
        pairs = self.stream.load(group)
        vectors = self.embed(pairs)
        check_finite("train", vectors, self.teacher)
        return replace(pairs, texts=[]), vectors


def check_finite(name: str, vectors: np.ndarray, teacher: dict[str, Any]) -> None:
    """Check embeddings.

    Args:
        name: Name of the split.
        vectors: Embeddings.
        teacher: Description of the teacher that made them.

    Raises:
        ModelError: One of them is not finite.
    """
    if not np.isfinite(vectors).all():
        raise ModelError(
            f"{name}: teacher {teacher.get('name')} ({teacher.get('dtype')}) gives vectors that are not finite; "
            "try float32"
        )


@runtime_checkable
class TrainingDataset(Protocol):
    """A dataset that `CubeTrainer.train` accepts."""

    def training_data(self) -> TrainingData:
        """Return the pairs of both splits and their embeddings."""
        ...
