"""Who may ask: no site of another name (DNS rebinding), no form of a foreign page, and only clients with the token."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from cube_model.serving.asgi import App, Receive, Scope, Send, headers_of, refuse
from cube_model.serving.errors import RefusalError
from dataset_builders.common.own_names import is_own

OPEN = ("/health", "/docs", "/openapi.json")
"""Paths without a token: they tell nothing about texts, and health checks and browsers send none."""


class Gate:
    """ASGI middleware that lets only clients of this server pass.

    Args:
        app: The application.
        names: Names of this server; see `own_names`.
        token: What clients have to send; None: nothing.
        posts: Paths that take JSON.
    """

    def __init__(self, app: App, names: Collection[str], token: str | None, posts: Collection[str]) -> None:
        self._app, self._names, self._posts = app, frozenset(names), frozenset(posts)
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await refuse(send, refusal)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RefusalError | None:
        hosts = headers_of(scope, b"host")
        if len(hosts) != 1 or not is_own(hosts[0], self._names):
            return RefusalError(421, "not served under this name; start the server with --names NAME to allow it")
        if self._token is not None and scope["path"] not in OPEN and not self._has_token(scope):
            return RefusalError(
                401,
                "expected the header `Authorization: Bearer TOKEN` with the token of the server",
                {"WWW-Authenticate": "Bearer"},
            )
        kind = ";".join(headers_of(scope, b"content-type")).partition(";")[0].strip().lower()
        if scope["method"] == "POST" and scope["path"] in self._posts and kind != "application/json":
            # the form of a foreign page cannot send this type, so no page makes its visitor's browser ask
            return RefusalError(415, "expected the header `Content-Type: application/json`")
        return None

    def _has_token(self, scope: Scope) -> bool:
        scheme, _, token = " ".join(headers_of(scope, b"authorization")).partition(" ")
        assert self._token is not None
        return hmac.compare_digest(self._token, token.strip().encode("latin-1")) and scheme.lower() == "bearer"
