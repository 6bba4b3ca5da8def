"""The example of a card: a question of the validation split, and the training answer that the core ranks first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.card.licenses import may_be_quoted
from cube_model.data.pairs import NO_TURN, QuestionAnswerPairs
from cube_model.data.training_data import TrainingData

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

_ANSWERS = 10_000
"""Maximum number of answers that are ranked: the first ones of the training pairs, in about a second."""

_WORDS = 4
"""Minimum number of words of the question: shorter ones say little."""


def example_of(model: CubeModel, data: TrainingData) -> dict[str, Any] | None:
    """Return the example of a trained core, the same one each time.

    Only texts under licences that allow their redistribution are quoted.

    Args:
        model: Trained core.
        data: Data of the training.

    Returns:
        `question`, `context` (earlier turns, oldest first), `answer`, its `score` (cosine), number of `answers` that
        were ranked, `sources` and `licenses` of both texts. None for an autoencoder, and where there is nothing to
        quote.
    """
    from cube_model.inference.processor import EmbeddingProcessor

    pairs, row = data.validation, _first_question(data.validation)
    rows = _distinct_answers(data.train)
    if model.config.mode == "autoencoder" or row is None or not len(rows):
        return None
    processor = EmbeddingProcessor(model)
    turns = pairs.questions[row, : 1 + model.config.context_turns]
    question = processor.process_batch(data.validation_vectors[turns][None])[0]
    scores = processor.process_answers(data.train_vectors[data.train.answers[rows]]) @ question
    best = int(scores.argmax())
    answer = int(rows[best])
    return {
        "question": pairs.texts[turns[0]],
        "context": [pairs.texts[turn] for turn in reversed(turns[1:]) if turn != NO_TURN],
        "answer": data.train.texts[data.train.answers[answer]],
        "score": round(float(scores[best]), 4),
        "answers": len(rows),
        "sources": sorted({pairs.sources[row], data.train.sources[answer]}),
        "licenses": sorted({pairs.licenses[row], data.train.licenses[answer]}),
    }


def _first_question(pairs: QuestionAnswerPairs) -> int | None:
    """Row of the first question that is long enough and may be quoted with its context."""
    questions = enumerate(zip(pairs.questions[:, 0].tolist(), pairs.licenses, strict=True))
    return next(
        (row for row, (i, license) in questions if len(pairs.texts[i].split()) >= _WORDS and may_be_quoted(license)),
        None,
    )


def _distinct_answers(pairs: QuestionAnswerPairs) -> np.ndarray:
    """Rows of the first distinct answers that may be quoted; those without text are left out."""
    quotable = {license for license in set(pairs.licenses) if may_be_quoted(license)}
    first: dict[int, int] = {}
    for row, (answer, license) in enumerate(zip(pairs.answers.tolist(), pairs.licenses, strict=True)):
        if license in quotable and pairs.texts[answer]:
            first.setdefault(answer, row)
        if len(first) == _ANSWERS:
            break
    return np.fromiter(first.values(), dtype=np.int64, count=len(first))
