"""The server of the loopback Hub, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from . import api, files
from .store import HubError, Store


class HangUp(Response):
    """A response during which the connection breaks."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


class Hang(Response):
    """A response that does not come."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the request
        await receive()  # until the client gives up


async def error_answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    headers = {"X-Error-Message": error.message} | ({"X-Error-Code": error.code} if error.code else {})
    return JSONResponse({"error": error.message}, error.status, headers)


class HubServer:
    """The server of a loopback Hub.

    Args:
        folder: Folder for the contents of the files.

    Attributes:
        url: Address of the server, for `HF_ENDPOINT`.
        store: Repositories and tokens, which tests may read and change.
        requests: All requests so far, as `"METHOD /path?query"`.
        intercept: Called with each request; a `Response` that it returns replaces the real one.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.requests: list[str] = []
        self.intercept: Callable[[Request], Response | None] | None = None
        self._app = Starlette(routes=[*api.ROUTES, *files.ROUTES], exception_handlers={HubError: error_answer})
        self._app.state.store = self.store
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self._serve, interface="asgi3", log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        scope["path"] = scope["raw_path"].decode()  # still percent-encoded, see `api.param`
        query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        self.requests.append(f"{scope['method']} {scope['path']}{query}")
        answer = self.intercept(request) if self.intercept else None
        await (answer or self._app)(scope, receive, send)

    def start(self) -> HubServer:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the loopback Hub did not start")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
