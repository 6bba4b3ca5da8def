"""Names of a server on this machine: a foreign site can point its own name at it (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection


def is_public(host: str) -> bool:
    """Whether other machines can reach a server that listens on this address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


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
