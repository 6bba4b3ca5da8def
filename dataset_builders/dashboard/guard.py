"""Who may open the page: no site of another name (DNS rebinding), and cores only for those with the link."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]

_REFUSAL = b"Not served under this name. Open the address that the command printed, or start it with --name NAME.\n"


def is_public(host: str) -> bool:
    """Whether other machines can reach a server that listens on this address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(16)


def has_token(expected: str, shown: str) -> bool:
    """Whether a visitor shows the token of the server; always if it has none."""
    return not expected or hmac.compare_digest(expected.encode(), shown.encode())


def own_names(host: str, names: Collection[str] = ()) -> set[str]:
    """Names under which a page on this address is opened, in lower case.

    Args:
        host: Address that the server listens on.
        names: Further names, such as that of a proxy.
    """
    machine = {socket.gethostname(), socket.getfqdn()} if is_public(host) else set()
    return {name.lower() for name in ("localhost", host, *machine, *names)}


def is_own(header: str, names: Collection[str]) -> bool:
    """Whether a `Host` header names this server: one of its names, or a numeric address.

    A foreign page can point its own name at this machine to read the page with the visitor's browser; its requests
    still name that site.

    >>> is_own("localhost:8501", {"localhost"}), is_own("[::1]:8501", ()), is_own("evil.example", {"localhost"})
    (True, True, False)
    """
    name = header.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


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
