"""The JSON of requests and responses, which the server checks and the OpenAPI page shows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cube_model.assistant.where import KEYS

MAX_K = 100
"""Maximum number of answers to a question."""

MAX_KEYS, MAX_VALUES = 16, 100
"""Maximum number of conditions on answers, and of values of each: every one is compared with every answer."""


def is_blank(text: str) -> bool:
    """Whether a text has nothing but blanks, a byte order mark among them."""
    return not text.replace("\ufeff", " ").strip()


def _not_blank(text: str) -> str:
    if is_blank(text):
        raise ValueError("expected a text, found only blanks")
    return text


_NOT_BLANK = r"[^\s\u001c-\u001f\u0085\ufeff]"
"""`is_blank` as a pattern of JSON Schema, where fewer characters are blanks than in Python."""

Text = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": _NOT_BLANK}), AfterValidator(_not_blank)]
"""A text that is not blank."""


def as_whole(number: Any) -> Any:
    """Convert 5.0, which is a whole number in JSON, to 5."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _known_keys(where: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    if len(where) > MAX_KEYS:
        raise ValueError(f"expected at most {MAX_KEYS} keys, found {len(where)}")
    if any(key not in KEYS and not key.startswith("metadata.") for key in where):
        raise ValueError(f"expected the keys {', '.join(KEYS)}, or metadata.KEY")
    return where


class Strict(BaseModel):
    """A request: types as declared, and no unknown key, which may be a typing error."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ReplyRequest(Strict):
    """A question, in its dialogue."""

    text: Annotated[Text, Field(description="The user's turn.", examples=["May my cat come along?"])]
    context: Annotated[
        list[Text],
        Field(description="Turns before it, the oldest first; they count if encoder or core were trained with them."),
    ] = []
    where: (
        Annotated[
            dict[str, str | Annotated[list[str], Field(max_length=MAX_VALUES)]],
            AfterValidator(_known_keys),
            Field(
                json_schema_extra={
                    "propertyNames": {"pattern": rf"^({'|'.join(KEYS)})$|^metadata\."},
                    "maxProperties": MAX_KEYS,
                }
            ),
        ]
        | None
    ) = Field(
        None,
        description="The value, or one of the values, that an answer must have, by `language`, `source`, `license`, "
        "`dialogue_id` or `metadata.KEY`.",
        examples=[{"language": "en"}],
    )
    k: Annotated[int, Field(description="Number of answers.", ge=1, le=MAX_K), BeforeValidator(as_whole)] = 5


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
    similar: Annotated[int, Field(description="Number of nearly identical answers that this one represents.")]
    template: Annotated[str, Field(description="The answer with names of slots in place of values; may be empty.")]


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
