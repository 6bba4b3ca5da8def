"""What is asked of an assistant, and what it replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cube_model.assistant.topics import Topic

Where = Mapping[str, str | Sequence[str]]
"""The value, or one of the values, that an answer must have, by key."""


@dataclass(frozen=True)
class AssistantAnswer:
    """An answer of a reply.

    Attributes:
        id: Id of the entry.
        text: Text of the answer.
        confidence: Probability that it is right, 0 to 1.
        question: The question that it was given to.
        dialogue_id: Dialogue that it comes from.
        source: Source that it comes from.
        language: BCP 47 tag.
        license: SPDX identifier of its licence, or `LicenseRef-private`.
        metadata: Other columns of own data.
        similar: Number of the nearest entries whose answers are nearly the same as this one; they are not shown.
        template: The answer with names in place of the values of its slots, such as `The phone number is
            [phone_number]`; empty where the dataset annotates none.
    """

    id: str
    text: str
    confidence: float
    question: str
    dialogue_id: str
    source: str
    language: str
    license: str
    metadata: dict[str, Any]
    similar: int
    template: str = ""


@dataclass(frozen=True)
class Reply:
    """A reply to a question.

    Attributes:
        is_known: Whether the best answer is sure enough. False means "I do not know": a caller may show `answers` all
            the same, or offer `topics`.
        confidence: Probability that the best answer is right, 0 to 1; see the card for an assistant of dialogues.
        answers: Answers, the best first.
        topics: The nearest topics.
        version: Version of the answers.
    """

    is_known: bool
    confidence: float
    answers: list[AssistantAnswer]
    topics: list[Topic]
    version: int


@dataclass(frozen=True)
class Request:
    """A question to an assistant.

    Attributes:
        text: The user's turn.
        context: Turns before it, oldest first; see `DialogueAssistant.reply`.
        where: Values that an answer must have; see `DialogueAssistant.reply`.
        k: Largest number of answers.
    """

    text: str
    context: Sequence[str] = ()
    where: Where | None = None
    k: int = 5
