"""Types of ASGI, and how a part of the server refuses a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from cube_model.serving.errors import RefusalError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def headers_of(scope: Scope, name: bytes) -> list[str]:
    """The values of a header, whose name is in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


async def refuse(send: Send, refusal: RefusalError) -> None:
    """Send a refusal as JSON."""
    await respond(send, refusal.status, "application/json", refusal.body(), refusal.headers.items())


async def respond(send: Send, status: int, kind: str, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
    """Send a response.

    Args:
        send: Channel of the request.
        status: HTTP status.
        kind: Media type.
        body: Content.
        headers: Further headers.
    """
    lines = [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
