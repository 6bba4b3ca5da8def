"""The application: its paths, and the layers around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, StarletteHTTPException

from cube_model.assistant.assistant import Request as Question
from cube_model.serving import openai, schemas
from cube_model.serving.asgi import App
from cube_model.serving.errors import INTERNAL, RefusalError
from cube_model.serving.gate import OPEN, Gate
from cube_model.serving.limits import Limits
from cube_model.serving.messages import http_error, invalid_request
from cube_model.serving.metrics import MEDIA_TYPE
from cube_model.serving.page import POLICY, page
from cube_model.serving.record import Record
from cube_model.serving.service import Service

_OF_ALL = (401, 421, 500)
_OF_POSTS = (400, 408, 413, 415, 422, 429, 503, 504)


def make_app(service: Service, names: Collection[str], token: str | None = None) -> App:
    """Make the application of a service.

    Args:
        service: What answers.
        names: Names of the server; see `own_names`.
        token: What clients have to send; None: nothing.

    Returns:
        An ASGI application. Its shutdown answers what waits, and closes the service.
    """
    api = _paths(service)
    shown = b""

    @api.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(shown, media_type="text/html", headers={"Content-Security-Policy": POLICY})

    schema = api.openapi()  # kept by `api` until a path is added
    complete(schema, service, token is not None)
    shown = page(schema).encode()
    config = service.config
    limited = Limits(
        api, max_bytes=config.max_bytes, max_requests=2 * config.queue + config.max_batch, timeout=config.timeout
    )
    posts = [path for path, methods in schema["paths"].items() if "post" in methods]
    return Record(Gate(limited, names, token, posts), service.metrics, [*schema["paths"], *OPEN])


def complete(schema: dict[str, Any], service: Service, needs_token: bool) -> None:
    """Write into the OpenAPI schema what only this server knows: its encoder, its limits, whether it has a token."""
    shapes, config = schema["components"]["schemas"], service.config
    fields = shapes["EmbeddingsRequest"]["properties"]
    fields["model"]["anyOf"] = [{"const": service.encoder}, {"type": "null"}]
    fields["dimensions"]["anyOf"] = [{"const": service.dimension}, {"type": "null"}]
    for shape in ("ReplyRequest", "IntentRequest", "EmbeddingsRequest"):
        for field in shapes.get(shape, {"properties": {}})["properties"].values():
            for part in (field, *field.get("anyOf", ())):
                if part.get("type") == "array":
                    # a question is a text, too
                    part["maxItems"] = config.max_texts - (shape == "ReplyRequest")
                    part = part["items"]
                if "minLength" in part:
                    part["maxLength"] = config.max_chars
    if needs_token:
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
        for path in set(OPEN) & set(schema["paths"]):
            schema["paths"][path]["get"]["security"] = []


def _paths(service: Service) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    api = FastAPI(
        title="dialogue-cube",
        summary="Replies, intents and embeddings",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere; `page` makes one that loads nothing
        redoc_url=None,
        redirect_slashes=False,
    )
    _handle_errors(api)
    if service.has_answers:
        _add_replies(api, service)
    if service.has_intents:
        _add_intents(api, service)
    _add_embeddings(api, service)
    _add_state(api, service)
    return api


def _handle_errors(api: FastAPI) -> None:
    async def refused(_: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            error = RefusalError(422, invalid_request(error.errors()))
        elif isinstance(error, StarletteHTTPException):
            error = http_error(error.status_code, error.headers, [*api.openapi()["paths"]])
        elif not isinstance(error, RefusalError):  # `Record` logs its place
            error = RefusalError(500, INTERNAL)
        return Response(error.body(), error.status, error.headers, "application/json")

    for kind in (RefusalError, RequestValidationError, StarletteHTTPException, Exception):
        api.add_exception_handler(kind, refused)


def _add_replies(api: FastAPI, service: Service) -> None:
    @api.post("/reply", response_model=schemas.ReplyResponse, responses=_refusals((*_OF_POSTS, 404)))
    async def reply(question: schemas.ReplyRequest) -> Response:
        """Answer a question, or say that no answer is known."""
        check_texts([question.text, *question.context], service)
        asked = Question(question.text, tuple(question.context), question.where, question.k)
        return _json(await service.reply(asked))


def _add_intents(api: FastAPI, service: Service) -> None:
    @api.post("/intent", response_model=schemas.IntentResponse, responses=_refusals(_OF_POSTS))
    async def intent(text: schemas.IntentRequest) -> Response:
        """Recognise the intent of a text."""
        check_texts([text.text], service)
        return _json(await service.intent(text.text))


def _add_embeddings(api: FastAPI, service: Service) -> None:
    responses = _refusals((*_OF_POSTS, 404))

    # the decorator next to the function is the first one on the page
    @api.post("/v1/embeddings", response_model=openai.EmbeddingsResponse, responses=responses)
    @api.post("/embed", response_model=openai.EmbeddingsResponse, responses=responses)
    async def embed(request: openai.EmbeddingsRequest) -> Response:
        """Embed texts, in the shape of OpenAI's embeddings."""
        openai.check_model(request, service.encoder, service.dimension)
        check_texts(request.texts, service)
        vectors = await service.embed(request.texts)
        return _json(openai.embeddings_response(vectors, service.encoder, request.encoding_format))

    @api.get("/v1/models", response_model=openai.Models, responses=_refusals())
    async def models() -> Response:
        """List the encoder, in the shape of OpenAI's models."""
        return _json(openai.models_response(service.encoder))


def _add_state(api: FastAPI, service: Service) -> None:
    @api.get("/health", response_model=schemas.Health, responses=_refusals((503,)))
    async def health() -> Response:
        """Say whether the server answers."""
        if not service.is_alive:
            raise RefusalError(503, "the server cannot compute any more; restart it")
        return _json({"status": "ok"})

    @api.get("/metrics", response_class=_Metrics, responses=_refusals())
    async def metrics() -> Response:
        """Metrics for Prometheus."""
        return _Metrics(service.metrics.text())


def check_texts(texts: Sequence[str], service: Service) -> None:
    """Check the number and the lengths of texts.

    Raises:
        RefusalError: There are too many, or one is too long.
    """
    config = service.config
    if len(texts) > config.max_texts:
        raise RefusalError(422, f"expected at most {config.max_texts} texts in a request, found {len(texts)}")
    longest = max(map(len, texts))
    if longest > config.max_chars:
        raise RefusalError(422, f"expected texts of at most {config.max_chars} characters, found one of {longest}")


class _Metrics(Response):
    media_type = MEDIA_TYPE


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def _refusals(statuses: Sequence[int] = ()) -> dict[int | str, dict[str, Any]]:
    """Further responses of a path, for the OpenAPI page."""
    words = {401: "wrong token", 408: "the request arrives too slowly", 413: "too large", 415: "not JSON"}
    words |= {421: "wrong name of the server", 422: "not as expected", 429: "too many requests", 504: "too late"}
    words |= {
        400: "not JSON",
        404: "no such answer, or another encoder",
        500: "internal error",
        503: "the server is stopping",
    }
    model = schemas.ErrorResponse
    return {status: {"model": model, "description": words[status]} for status in sorted({*_OF_ALL, *statuses})}
