"""Trying again what may work the next time: a server that asks for a pause, has a passing fault, or hangs up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE = 1.0
"""Seconds; doubled after each failure: 15 s in all."""
LONGEST_PAUSE = 300.0
"""Seconds that a server may ask for; the Hub counts requests in windows of five minutes."""


class Patience:
    """Calls a server until it answers.

    429 waits as long as the server asks (`Retry-After`, `RateLimit`), up to `LONGEST_PAUSE`. 5xx, time-outs and broken
    connections wait 1, 2, 4 and 8 seconds. Where no connection was ever made, nothing is tried again: the address or
    the network is wrong.
    """

    def __init__(self) -> None:
        self._connected = False

    def __call__(self, call: Callable[[], T], *, repeatable: bool = True) -> T:
        """What the call gives; its last error when it fails for good.

        Args:
            call: Asks the server.
            repeatable: Twice does no more than once. Otherwise it is tried again only when the server said that it
                did nothing (429, 503).
        """
        for attempt in range(ATTEMPTS):
            try:
                answer = call()
            except Exception as error:
                pause = self._pause(error, attempt, repeatable)
                if pause is None or attempt == ATTEMPTS - 1:
                    raise
                logger.warning("%s; trying again in %g s", _short(error), pause)
                time.sleep(pause)
            else:
                self._connected = True
                return answer
        raise AssertionError("unreachable")

    def _pause(self, error: BaseException | None, attempt: int, repeatable: bool) -> float | None:
        """Seconds to wait; None when waiting cannot help."""
        from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

        # an upload worker wraps what really happened
        while error is not None and not isinstance(error, (OSError, HTTPError)):
            error = error.__cause__
        if isinstance(error, HfHubHTTPError) and error.response is not None:
            status = error.response.status_code
            self._connected = True
            if status == 429:
                asked = asked_pause(error)
                return None if asked > LONGEST_PAUSE else max(asked, FIRST_PAUSE * 2**attempt)
            passing = status >= 500 or status == 408 if repeatable else status == 503
            return FIRST_PAUSE * 2**attempt if passing else None
        if isinstance(error, OfflineModeIsEnabled) or not isinstance(error, (HTTPError, ConnectionError, TimeoutError)):
            return None
        passing = self._connected or not _never_connected(error)
        return FIRST_PAUSE * 2**attempt if repeatable and passing else None


def asked_pause(error: BaseException) -> float:
    """Seconds that a 429 asks to wait; 0 when it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers

    headers = getattr(getattr(error, "response", None), "headers", {})
    if limit := parse_ratelimit_headers(headers):
        return float(limit.reset_in_seconds) + 1  # the count is in whole seconds
    after = headers.get("retry-after", "")
    return float(after) if after.isdigit() else 0.0


def _never_connected(error: BaseException) -> bool:
    return type(error).__name__ in ("ConnectError", "ConnectTimeout", "ConnectionRefusedError")


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
