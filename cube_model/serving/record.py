"""The record of a request: metrics and a line of the log, with numbers and the name of the path, never with a text."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from cube_model.serving.asgi import App, Message, Receive, Scope, Send, refuse
from cube_model.serving.errors import INTERNAL, RefusalError, server_error
from cube_model.serving.metrics import Metrics

log = logging.getLogger(__name__)

_CLIENT_LEFT = 499
"""Status of a request whose client has gone before the answer, as nginx records it."""


class Record:
    """ASGI middleware that records requests, and answers 500 after an unexpected error.

    Args:
        app: The application.
        metrics: Where requests are counted.
        paths: Paths of the application. Others are recorded as "other", since they may be texts.
    """

    def __init__(self, app: App, metrics: Metrics, paths: Collection[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = scope["path"] if scope["path"] in self._paths else "other"
        try:
            await self._app(scope, receive, observed)
        except Exception as error:
            log.error("%s: %s", path, server_error(error))
            if not status:
                await refuse(observed, RefusalError(500, INTERNAL))
        finally:
            seconds = time.monotonic() - start
            self._metrics.request(path, status or _CLIENT_LEFT, seconds)
            log.info("%s %s %d %.1f ms", _method(scope), path, status or _CLIENT_LEFT, 1000 * seconds)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
