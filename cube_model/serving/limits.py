"""How much a request may take: its size and the time of its transfer; and how many there may be at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cube_model.serving.asgi import App, Message, Receive, Scope, Send, headers_of, refuse
from cube_model.serving.errors import RefusalError


class Limits:
    """ASGI middleware that reads the body of a request before the application starts, within limits.

    A request whose client has gone is cancelled, so that nothing is computed for it.

    Args:
        app: The application.
        max_bytes: Maximum size of a body.
        max_requests: Maximum number of requests at a time; bounds the memory that bodies take.
        timeout: Time in which a body has to arrive, in seconds.
    """

    def __init__(self, app: App, *, max_bytes: int, max_requests: int, timeout: float) -> None:
        self._app, self._max_bytes, self._max_requests, self._timeout = app, max_bytes, max_requests, timeout
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its whole body, or refuse it."""
        if scope["type"] != "http" or scope["method"] != "POST":  # the others have no body that is read
            await self._app(scope, receive, send)
            return
        if self._requests >= self._max_requests:
            message = f"{self._requests} requests are being answered, the maximum; try again later"
            await refuse(send, RefusalError(429, message, {"Retry-After": "1", "Connection": "close"}))
            return
        self._requests += 1
        try:
            body = await asyncio.wait_for(self._read(scope, receive), self._timeout)
            if body is not None:
                await self._pass_on(scope, receive, send, body)
        except RefusalError as refusal:
            await refuse(send, refusal)
        except asyncio.TimeoutError:
            message = f"the request did not arrive within {self._timeout:g} s"
            await refuse(send, RefusalError(408, message, {"Connection": "close"}))
        finally:
            self._requests -= 1

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None if the client has gone.

        Raises:
            RefusalError: It is too large: by its header, before it is read, or while it is read.
        """
        too_large = RefusalError(
            413, f"expected a request of at most {self._max_bytes} bytes; send fewer texts", {"Connection": "close"}
        )
        length = "".join(headers_of(scope, b"content-length"))
        if length.isdecimal() and int(length) > self._max_bytes:
            raise too_large
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_bytes:
                raise too_large
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        messages: list[Mapping[str, object]] = [{"type": "http.request", "body": body, "more_body": False}]
        gone = asyncio.Event()

        async def replay() -> Message:
            if messages:
                return dict(messages.pop())
            await gone.wait()
            return {"type": "http.disconnect"}

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        answering = asyncio.ensure_future(self._app(scope, replay, send))
        watching = asyncio.ensure_future(watch())
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            if not answering.done():
                answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        if not answering.cancelled():
            answering.result()
