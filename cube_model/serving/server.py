"""The process of a server: the port, the log, and the end."""

from __future__ import annotations

import logging
import socket
import sys
from typing import TYPE_CHECKING

from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.serving.asgi import App

_BACKLOG = 2048

_KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than proxies keep theirs, so that none sends into a closed one."""


def listen(host: str, port: int) -> socket.socket:
    """Open the port, before minutes are spent on loading.

    Args:
        host: Address or name of this machine.
        port: Port; 0: any free one.

    Raises:
        ModelError: The address is not of this machine, or another program uses the port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ModelError(f"cannot listen on {host}:{port} ({error.strerror}); pass another --host") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise ModelError(f"cannot listen on {host}:{port} ({error.strerror}); pass another --host or --port") from error
    return opened


def address_of(opened: socket.socket) -> str:
    """The address of a server as a URL."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def show_log() -> None:
    """Print the log of the server to the error stream, a plain line a request.

    Not with `rich`, which takes a millisecond for a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("cube_model")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def run(app: App, opened: socket.socket, timeout: float) -> None:
    """Serve until SIGTERM or SIGINT; then refuse new connections and answer the requests that wait.

    Args:
        app: ASGI application.
        opened: Socket that listens.
        timeout: Time in which a request is answered, in seconds.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        access_log=False,  # its lines have the query of a request
        log_config=None,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=int(timeout) + 1,
    )
    uvicorn.Server(config).run(sockets=[opened])
