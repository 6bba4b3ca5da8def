"""Methods to evaluate: a method maps questions and answers to vectors whose inner product is their score.

An untrained core is the identity (SIM), so the results of `identity` are the starting point of training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cube_model.data.pairs import joined_turns
from cube_model.inference.processor import core_function, map_rows
from cube_model.metrics.metrics import normalize, quick_accuracy

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.core.modeling_turns import TurnsModel
    from cube_model.data.pairs import QuestionAnswerPairs
    from cube_model.metrics.metrics import Matrix
    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache

Encode = Callable[[np.ndarray], np.ndarray]


class Scorer(Protocol):
    """A method that can be evaluated. The score of question i and answer j is the inner product of their rows."""

    @property
    def name(self) -> str:
        """Name in tables and results."""

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""

    @property
    def turns(self) -> int:
        """Number of turns that it reads, including the question."""

    @property
    def train_size(self) -> int | None:
        """Number of training pairs; None if untrained or unknown."""

    @property
    def reads_vectors(self) -> bool:
        """Whether it reads embeddings. If it reads texts, the cosine to the true answer means nothing."""

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[Matrix, Matrix]:
        """Map n pairs.

        Args:
            pairs: n pairs.
            vectors: float32 `[m + 1, d]`, as returned by `QuestionAnswerPairs.embed`.

        Returns:
            One row for each question and one for each answer, both `[n, dimension]`.
        """

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """Return a function that maps the questions of `pairs`, with the answers already prepared; for timing."""


@dataclass(frozen=True)
class Method:
    """A map of embeddings.

    Args:
        name: Name in tables and results.
        questions: Map of the questions, float32 `[b, turns, d]` -> `[b, d]`.
        answers: Map of the answers, float32 `[b, d]` -> `[b, d]`.
        parameters: Number of trained parameters.
        turns: Number of turns that `questions` reads, including the question; further turns are cut off.
        train_size: Number of training pairs; None if untrained or unknown.
        cosine: Score by cosine; otherwise by the inner product of the mapped vectors.
        reads_vectors: See `Scorer.reads_vectors`.
        remark: What a table says of the method.
    """

    name: str
    questions: Encode
    answers: Encode
    parameters: int = 0
    turns: int = 1
    train_size: int | None = None
    cosine: bool = True
    reads_vectors: bool = True
    remark: str = ""

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Scorer.map`; rows have norm 1 unless `cosine` is off."""
        questions = map_rows(self.questions, vectors, pairs.questions[:, : self.turns])
        answers = map_rows(self.answers, vectors, pairs.answers)
        return (normalize(questions), normalize(answers)) if self.cosine else (questions, answers)

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """See `Scorer.query`."""
        turns = vectors[pairs.questions[:, : self.turns]]
        return lambda: self.questions(turns)


def identity(turns: int = 1) -> Method:
    """Return the map of an untrained core (SIM): the embeddings of questions and answers are compared unchanged.

    Args:
        turns: Number of turns. With more than 1, the question is the mean of its own and its context's embeddings.
    """
    return Method(
        "identity",
        lambda questions: questions.mean(1),
        lambda answers: answers,
        turns=turns,
        remark="the encoder alone, an untrained core",
    )


CONTEXT_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Weights of an earlier turn, against the turn after it, that `identity_with_context` selects from."""


def weighted_identity(turns: int, weight: float) -> Method:
    """Return the encoder alone with context: the sum of the embeddings, the turn k before the question times weight^k.

    Args:
        turns: Number of turns, including the question.
        weight: Weight of a turn against the one after it.
    """
    weights = (weight ** np.arange(turns)).astype(np.float32)[:, None]
    return Method(
        "identity + context",
        lambda questions: (questions * weights[: questions.shape[1]]).sum(1),
        lambda answers: answers,
        parameters=1,
        turns=turns,
        remark=f"the encoder on the core's turns, turn k back times {weight:g}^k"
        + ("" if weight else ": the question alone is best"),
    )


def identity_with_context(turns: int, pairs: QuestionAnswerPairs, vectors: np.ndarray, seed: int = 0) -> Method:
    """Return `weighted_identity` with the weight that is best on other pairs: what a core has to beat.

    The weight 0 is one of the choices, so context is read only where it helps. The sum needs no further encoding, while
    joined texts take a second pass of the encoder.

    Args:
        turns: Number of turns, including the question.
        pairs: Pairs to select by, not those of the evaluation, with at least as many turns.
        vectors: Their embeddings, as returned by `pairs.embed`.
        seed: Seed of the batches.
    """

    def accuracy(weight: float) -> float:
        return quick_accuracy(*weighted_identity(turns, weight).map(pairs, vectors), pairs.labels, seed=seed)

    return weighted_identity(turns, max(CONTEXT_WEIGHTS, key=accuracy))


@dataclass(frozen=True)
class JoinedTurns:
    """The encoder alone, which reads the context and the question as one text (SIM).

    Args:
        teacher: Encoder.
        cache: Cache for the embeddings of the joined texts.
        turns: Number of turns to join, including the question.
        progress: Show a progress bar while texts are encoded.
        name, parameters, train_size, reads_vectors: See `Scorer`.
        remark: See `Method`.
    """

    teacher: Teacher
    cache: EmbeddingCache
    turns: int
    progress: bool = False
    name: str = "joined turns"
    parameters: int = 0
    train_size: int | None = None
    reads_vectors: bool = True
    remark: str = "the encoder reads the turns as one text"

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Scorer.map`."""
        questions = self.cache.embed(self.teacher, self._texts(pairs), progress=self.progress)
        return normalize(questions), normalize(vectors[pairs.answers])

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """See `Scorer.query`; the time is that of encoding."""
        texts = self._texts(pairs)
        return lambda: self.teacher.encode(texts)

    def _texts(self, pairs: QuestionAnswerPairs) -> list[str]:
        return joined_turns(replace(pairs, questions=pairs.questions[:, : self.turns]), self.teacher.turn_separator)


def composed_turns(model: TurnsModel, turns: int | None = None) -> Method:
    """Return an encoder of turns as a method, on the vectors of its own encoder.

    Args:
        model: Encoder and composer.
        turns: Number of turns that it sees, including the question. Default: as many as it reads.
    """
    model.eval()
    return Method(
        "composed turns",
        core_function(model, model.compose),
        core_function(model, model.answers),
        parameters=sum(parameter.numel() for parameter in model.composer.parameters()),
        turns=1 + model.config.context_turns if turns is None else turns,
        remark=f"the vectors of the turns, composed ({model.config.composer})",
    )


def core(
    model: CubeModel, name: str = "trained core", *, train_size: int | None = None, turns: int | None = None
) -> Method:
    """Return a trained core as a method.

    Args:
        model: Trained core.
        name: Name in tables and results.
        train_size: Number of training pairs; None if unknown.
        turns: Number of turns that the core sees, including the question. Default: as many as it reads.
    """
    model.eval()
    turns = 1 + model.config.context_turns if turns is None else turns
    return Method(
        name,
        core_function(model, model.encode_questions),
        core_function(model, model.encode_answers),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        turns=turns,
        train_size=train_size,
    )
