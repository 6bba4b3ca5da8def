"""Repeat requests to the Hub that may succeed the next time: it asks for a pause, fails for a while, or hangs up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 5
READ_ATTEMPTS = 3
"""Attempts to read: the Hub client has its own ones inside each."""
FIRST_PAUSE = 1.0
"""Seconds; doubled after each failure: 15 s in all."""
LONGEST_PAUSE = 300.0
"""Seconds that a server may ask for; the Hub counts requests in windows of five minutes."""
TIMEOUT = 30.0
"""Seconds without an answer after which reading has failed. Some requests of the client would wait for ever; its
downloads have `HF_HUB_DOWNLOAD_TIMEOUT`."""


class Patience:
    """Calls a server until it answers.

    429 waits as long as the server asks (`Retry-After`, `RateLimit`), up to `LONGEST_PAUSE`. 5xx, time-outs and broken
    connections wait 1, 2, 4 and 8 seconds. If there never was a connection, nothing is repeated: the address or the
    network is wrong.

    Args:
        attempts: Number of calls at most.

    Example:
        >>> patiently = Patience()
        >>> patiently(lambda: "an answer")
        'an answer'
    """

    def __init__(self, attempts: int = ATTEMPTS) -> None:
        self._attempts, self._connected = attempts, False

    def __call__(self, call: Callable[[], T], *, repeatable: bool = True) -> T:
        """Return what the call returns; raise its last error if it fails for good.

        Args:
            call: Asks the server.
            repeatable: Twice does no more than once. Otherwise it is repeated only if the server said that it did
                nothing (429, 503).
        """
        for attempt in range(self._attempts):
            try:
                answer = call()
            except Exception as error:
                pause = self._pause(error, attempt, repeatable)
                if pause is None or attempt == self._attempts - 1:
                    raise
                logger.warning("%s; trying again in %g s", _short(error), pause)
                time.sleep(pause)
            else:
                self._connected = True
                return answer
        raise AssertionError("unreachable")

    def _pause(self, error: BaseException, attempt: int, repeatable: bool) -> float | None:
        """Seconds to wait; None if waiting cannot help."""
        from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

        fault = hub_fault(error)
        if isinstance(fault, HfHubHTTPError):
            status = fault.response.status_code
            self._connected = True
            if status == 429:
                asked = asked_pause(fault)
                return None if asked > LONGEST_PAUSE else max(asked, FIRST_PAUSE * 2**attempt)
            passing = status >= 500 or status == 408 if repeatable else status == 503
            return FIRST_PAUSE * 2**attempt if passing else None
        if isinstance(fault, OfflineModeIsEnabled) or not isinstance(fault, (HTTPError, ConnectionError, TimeoutError)):
            return None
        passing = self._connected or not _never_connected(fault)
        return FIRST_PAUSE * 2**attempt if repeatable and passing else None


def read_hub(call: Callable[[], T]) -> T:
    """Call something that reads from the Hub, with limits to its waiting, and again after passing faults.

    Args:
        call: Reads; may use the cache of an earlier attempt.

    Example:
        >>> read_hub(lambda: "rows")
        'rows'
    """
    patiently = Patience(READ_ATTEMPTS)
    with _limits():
        return patiently(call)


def hub_fault(error: BaseException | None) -> Any:
    """The fault of the Hub or the network behind an error, which other libraries wrap several times.

    Args:
        error: What a library raised.

    Returns:
        The answer of the Hub (`HfHubHTTPError` with a response), else the broken connection, else None.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # `datasets` hides the fault by `from None`
    for each in chain:
        if isinstance(each, HfHubHTTPError) and each.response is not None:
            return each
    connections = [each for each in chain if isinstance(each, (HTTPError, ConnectionError, TimeoutError))]
    # `datasets` wraps that of the Hub client in a ConnectionError of its own
    return next((each for each in connections if isinstance(each, HTTPError)), connections[-1] if connections else None)


def asked_pause(error: BaseException) -> float:
    """Seconds that a 429 asks to wait; 0 if it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers

    headers = getattr(getattr(error, "response", None), "headers", {})
    if limit := parse_ratelimit_headers(headers):
        return float(limit.reset_in_seconds) + 1  # the count is in whole seconds
    after = headers.get("retry-after", "")
    return float(after) if after.isdigit() else 0.0


def explain_fault(error: BaseException, repo: str) -> str | None:
    """Say in one line why a repository cannot be read; None if neither the Hub nor the network is the cause.

    Args:
        error: What a library raised.
        repo: `ORG/NAME`.

    Returns:
        The line, without the token.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError, RevisionNotFoundError

    fault, endpoint = hub_fault(error), constants.ENDPOINT
    if constants.HF_HUB_OFFLINE and fault is not None:
        return f"HF_HUB_OFFLINE is set, and {repo} is not in the cache: unset it to go online"
    if not isinstance(fault, HfHubHTTPError):
        if fault is None:
            return None
        return f"cannot reach {endpoint} ({type(fault).__name__}): check the network and HF_ENDPOINT, then try again"
    status = fault.response.status_code
    if isinstance(fault, GatedRepoError):
        return f"{repo} is gated ({status}): accept its terms at {endpoint}, then log in with `hf auth login`"
    if isinstance(fault, RevisionNotFoundError):
        return f"{repo} has no such revision (404): check the branch, tag or commit"
    if isinstance(fault, EntryNotFoundError):  # a file, which has a message of its own
        return None
    match status:
        case 401 if get_token():
            return f"{endpoint} does not accept the token (401): run `hf auth login` or renew HF_TOKEN"
        case 401 | 404:
            return (
                f"no {repo} on the Hub that you can read ({status}): check the name, or log in with `hf auth login` if "
                "it is private"
            )
        case 403:
            return f"the token may not read {repo} (403): log in with one that has access"
        case 429:
            pause = asked_pause(fault)
            return f"{endpoint} limits the rate of requests (429): try again {f'in {pause:g} s' if pause else 'later'}"
        case _ if status >= 500:
            return f"{endpoint} keeps failing ({status}): try again later; files that have arrived are kept"
    reason = " ".join((fault.server_message or "no reason given").split())[:200]
    return without_token(f"{endpoint} refused to read {repo} ({status}): {reason}")


def without_token(message: str) -> str:
    """The message with the Hub token replaced by stars."""
    from huggingface_hub import get_token

    token = get_token()
    return message.replace(token, "***") if token else message


@contextmanager
def _limits() -> Iterator[None]:
    """Limit how long the Hub client waits: for an answer, where it sets no time-out, and when a 429 asks it to."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import hf_raise_for_status

    def refuse_long_pauses(response: Any) -> None:
        if response.status_code == 429:
            response.read()
            error = None
            try:
                hf_raise_for_status(response)
            except Exception as refused:
                error = refused
            if error is not None and asked_pause(error) > LONGEST_PAUSE:
                raise error

    client = get_session()
    timeout, hooks = client.timeout, client.event_hooks
    if timeout.read is None:
        client.timeout = TIMEOUT
    client.event_hooks = {**hooks, "response": [*hooks.get("response", []), refuse_long_pauses]}
    try:
        yield
    finally:
        client.timeout, client.event_hooks = timeout, hooks


def _never_connected(error: BaseException) -> bool:
    # `datasets` raises a bare ConnectionError, after the attempts of the Hub client
    return type(error).__name__ in ("ConnectError", "ConnectTimeout", "ConnectionRefusedError", "ConnectionError")


def _short(error: Exception) -> str:
    return without_token((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
