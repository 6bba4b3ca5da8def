"""What is judged: a method sends question and answer vectors (or texts) to where they are compared.

The untrained core is the identity (SIM), so the row `identity` is what training starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cube_model.data.pairs import joined_turns
from cube_model.inference.processor import core_function, map_rows
from cube_model.metrics.metrics import normalize

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.data.pairs import QuestionAnswerPairs
    from cube_model.metrics.metrics import Matrix
    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache

Encode = Callable[[np.ndarray], np.ndarray]


class Scorer(Protocol):
    """Anything that can be judged. The score of question i and answer j is the inner product of their rows."""

    @property
    def name(self) -> str:
        """Shown in tables."""

    @property
    def parameters(self) -> int:
        """Trained numbers."""

    @property
    def turns(self) -> int:
        """Turns of a question that it reads."""

    @property
    def train_size(self) -> int | None:
        """Pairs that it was trained on; None when not trained or not known."""

    @property
    def reads_vectors(self) -> bool:
        """False when it reads texts: a cosine to the true answer then means nothing."""

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[Matrix, Matrix]:
        """Rows of the n questions and of their n answers; `vectors` as `QuestionAnswerPairs.embed` gives them."""

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """What has to be done for the questions of `pairs` when the answers are prepared; for timing."""


@dataclass(frozen=True)
class Method:
    """A map of vectors.

    Args:
        name: Shown in the table.
        questions: float32 `[b, 1 + turns, d]` -> `[b, d]`.
        answers: float32 `[b, d]` -> `[b, d]`.
        parameters: Trained numbers.
        turns: Question and earlier turns that it reads; more are cut.
        train_size: Pairs that it was trained on; None when not trained or not known.
        cosine: Compared by cosine; False: by the inner product of the mapped vectors as they are.
    """

    name: str
    questions: Encode
    answers: Encode
    parameters: int = 0
    turns: int = 1
    train_size: int | None = None
    cosine: bool = True
    reads_vectors: bool = True

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Scorer.map`; rows of length 1 unless `cosine` is off."""
        questions = map_rows(self.questions, vectors, pairs.questions[:, : self.turns])
        answers = map_rows(self.answers, vectors, pairs.answers)
        return (normalize(questions), normalize(answers)) if self.cosine else (questions, answers)

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """See `Scorer.query`."""
        given = vectors[pairs.questions[:, : self.turns]]
        return lambda: self.questions(given)


def identity(turns: int = 1) -> Method:
    """What an untrained core does: the question's own vector against the answers' own vectors (SIM).

    Args:
        turns: More than 1: the mean of the vectors of the question and the turns before it.
    """
    return Method("identity", lambda questions: questions.mean(1), lambda answers: answers, turns=turns)


@dataclass(frozen=True)
class JoinedTurns:
    """The encoder alone, given the question and the turns before it as one text; the answers' own vectors (SIM).

    Args:
        teacher: The encoder.
        cache: Where the vectors of the texts are kept.
        turns: Question and earlier turns that are joined.
        progress: Show a progress bar while texts are encoded.
    """

    teacher: Teacher
    cache: EmbeddingCache
    turns: int
    progress: bool = False
    name: str = "joined turns"
    parameters: int = 0
    train_size: int | None = None
    reads_vectors: bool = True

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Scorer.map`."""
        questions = self.cache.embed(self.teacher, self._texts(pairs), progress=self.progress)
        return normalize(questions), normalize(vectors[pairs.answers])

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """See `Scorer.query`; encoding is all that there is to do."""
        texts = self._texts(pairs)
        return lambda: self.teacher.encode(texts)

    def _texts(self, pairs: QuestionAnswerPairs) -> list[str]:
        return joined_turns(replace(pairs, questions=pairs.questions[:, : self.turns]), self.teacher.turn_separator)


def core(
    model: CubeModel, name: str = "trained core", *, train_size: int | None = None, turns: int | None = None
) -> Method:
    """A trained core as a method; `turns` less than the core reads hides the earlier ones."""
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
