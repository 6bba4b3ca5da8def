"""The JSON of requests and responses, which the server checks and the OpenAPI page shows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_K = 100
"""Maximum number of answers to a question."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a text, found only blanks")
    return text


Text = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"\S"}), AfterValidator(_not_blank)]
"""A text that is not blank."""


class Strict(BaseModel):
    """A request: types as declared, and no unknown key, which may be a typing error."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ReplyRequest(Strict):
    """A question, in its dialogue."""

    text: Annotated[Text, Field(description="The user's turn.", examples=["May my cat come along?"])]
    context: Annotated[list[Text], Field(description="Turns before it, the oldest first.")] = []
    where: Annotated[
        dict[str, str | list[str]] | None,
        Field(
            description="Values that an answer must have: `language`, `source` or `metadata.KEY` -> value or values, "
            'such as `{"language": "en"}`.'
        ),
    ] = None
    k: Annotated[int, Field(description="Number of answers.", ge=1, le=MAX_K)] = 5


class IntentRequest(Strict):
    """A text whose intent is wanted."""

    text: Annotated[Text, Field(description="The user's turn.", examples=["I lost my card"])]


class ReplyAnswer(BaseModel):
    """An answer; there may be further keys."""

    id: str
    text: str
    confidence: Annotated[float, Field(description="Probability that this answers the question.")]
    question: Annotated[str | None, Field(description="The question of the answer, the nearest one.")]
    dialogue_id: str | None
    source: str | None
    language: str | None
    license: Annotated[str | None, Field(description="SPDX identifier.")]
    metadata: dict[str, Any]
    similar: Annotated[int, Field(description="Number of nearly equal answers that this one stands for.")]


class ReplyTopic(BaseModel):
    """A topic near the question."""

    name: str
    similarity: float


class ReplyResponse(BaseModel):
    """A reply: `is_known` false means "I do not know"."""

    is_known: Annotated[bool, Field(description="Whether the first answer is likely enough to be shown.")]
    confidence: Annotated[float, Field(description="Probability that the first answer is right.")]
    answers: Annotated[list[ReplyAnswer], Field(description="The best first, also where `is_known` is false.")]
    topics: Annotated[list[ReplyTopic], Field(description="The nearest topics.")]
    version: Annotated[int, Field(description="Version of the answers.")]


class IntentResponse(BaseModel):
    """The intent of a text."""

    label: Annotated[str | None, Field(description="Null if the text is out of scope.")]
    probability: Annotated[float, Field(description="Probability of the most probable label.")]
    is_out_of_scope: bool
    alternatives: Annotated[list[list[Any]], Field(description="The next labels, each with its probability.")]
    labels: Annotated[list[str], Field(description="All labels that apply.")]
    score: Annotated[float, Field(description="Higher for texts in scope.")]


class Health(BaseModel):
    """Whether the server answers."""

    status: str


class ErrorDetail(BaseModel):
    """What was wrong."""

    message: Annotated[str, Field(description="What was wrong, what was expected, and what to do.")]
    type: str


class ErrorResponse(BaseModel):
    """A request that was not answered."""

    error: ErrorDetail
