"""The shape of OpenAI's embeddings, which LangChain, LlamaIndex, Haystack and others speak.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cube_model.serving.errors import RefusalError
from cube_model.serving.schemas import Text, as_whole, is_blank
from dataset_builders.common.reading import is_text

_EXPECTED = "expected a text that is not blank, or a list of at least one"
_NO_TOKENS = (
    "expected a text or a list of texts, found token ids, which are those of another tokenizer; with langchain-openai "
    "pass check_embedding_ctx_length=False"
)


def _checked(value: Any) -> Any:
    texts = value if isinstance(value, list) else [value]
    if isinstance(value, list) and value and isinstance(value[0], int | list) and not isinstance(value[0], bool):
        raise ValueError(_NO_TOKENS)
    if not texts or not all(isinstance(text, str) and not is_blank(text) and is_text(text) for text in texts):
        raise ValueError(_EXPECTED)
    return value


class EmbeddingsRequest(BaseModel):
    """Texts to embed. Further keys of OpenAI's clients are ignored."""

    model_config = ConfigDict(strict=True)

    # checked by a function of its own, since the messages about a union name its parts, which a client does not know
    input: Annotated[
        Text | Annotated[list[Text], Field(min_length=1)],
        BeforeValidator(_checked),
        Field(description="A text or a list of texts."),
    ]
    model: Annotated[str | None, Field(description="Name of the encoder, as `/v1/models` lists it.")] = None
    encoding_format: Annotated[
        Literal["float", "base64"], Field(description="Numbers, or float32 little-endian as base64.")
    ] = "float"
    dimensions: Annotated[
        int | None, Field(description="Dimension; only that of the encoder."), BeforeValidator(as_whole)
    ] = None

    @property
    def texts(self) -> list[str]:
        """The texts, also if there is only one."""
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(BaseModel):
    """The embedding of a text."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Always 0: nothing is billed, so tokens are not counted."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """Embeddings, in the order of the texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class Model(BaseModel):
    """An encoder."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(BaseModel):
    """The encoder of this server."""

    object: Literal["list"]
    data: list[Model]


def check_model(request: EmbeddingsRequest, encoder: str, dimension: int) -> None:
    """Check that the client wants the encoder that is served.

    Raises:
        RefusalError: It names another encoder (404) or dimension (422).
    """
    if request.model not in (None, encoder):
        raise RefusalError(404, f"model: this server has only the encoder {encoder!r}; name it, or leave `model` out")
    if request.dimensions not in (None, dimension):
        raise RefusalError(422, f"dimensions: the encoder {encoder!r} has {dimension}; pass that, or leave it out")


def embeddings_response(
    vectors: Sequence[np.ndarray], encoder: str, encoding: Literal["float", "base64"]
) -> dict[str, Any]:
    """The response to a request.

    Args:
        vectors: Embeddings, each float32 `[dimension]`.
        encoder: Name of the encoder.
        encoding: How the embeddings are written.
    """
    data = [
        {"object": "embedding", "index": i, "embedding": vector if encoding == "float" else _base64(vector)}
        for i, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": data, "model": encoder, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def models_response(encoder: str) -> dict[str, Any]:
    """The list of models: the encoder."""
    model = {"id": encoder, "object": "model", "created": 0, "owned_by": "dialogue-cube"}
    return {"object": "list", "data": [model]}


def _base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
