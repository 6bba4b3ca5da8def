"""A question and the turns before it as one text: what an encoder reads that was fine-tuned with context."""

from __future__ import annotations

from cube_model.data.pairs import NO_TURN, QuestionAnswerPairs


def joined_turns(pairs: QuestionAnswerPairs, separator: str) -> list[str]:
    """Each question, then its earlier turns, most recent first: what is cut off at the end is what matters least."""
    return [separator.join(pairs.texts[i] for i in turns if i != NO_TURN) for turns in pairs.questions.tolist()]
