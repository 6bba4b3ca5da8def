"""Who may open the page: no site of another name (DNS rebinding), and cores only for those with the link."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from dataset_builders.common.own_names import is_own

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]

_REFUSAL = b"Not served under this name. Open the address that the command printed, or start it with --name NAME.\n"


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(16)


def has_token(expected: str, shown: str) -> bool:
    """Whether a visitor shows the token of the server; always if it has none."""
    return not expected or hmac.compare_digest(expected.encode(), shown.encode())


class OwnNames:
    """ASGI middleware that answers only requests for this server.

    Args:
        app: The application.
        names: See `own_names`.
    """

    def __init__(self, app: App, names: Collection[str]) -> None:
        self._app, self._names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Pass a request on, or answer 421."""
        if scope["type"] in ("http", "websocket"):
            hosts = [value.decode("latin-1") for key, value in scope["headers"] if key == b"host"]
            if len(hosts) != 1 or not is_own(hosts[0], self._names):
                await _refuse(scope["type"], send)
                return
        await self._app(scope, receive, send)


async def _refuse(kind: str, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL})
