"""Refusals: an HTTP status with a message in plain words, as JSON `{"error": {"message", "type"}}`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

TYPES = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    422: "invalid_request",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
    504: "timeout",
}
"""Status -> `type` of the error."""

INTERNAL = "internal error; the log of the server names its place"
"""Message of 500."""


class RefusalError(Exception):
    """A request that is not answered.

    Args:
        status: HTTP status, one of `TYPES`.
        message: What was wrong, what was expected, and what to do. It quotes no text of the user.
        headers: Further headers of the response.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    def body(self) -> bytes:
        """The JSON of the response."""
        message = self.message.encode("utf-8", "backslashreplace").decode()  # a key may have half of a character
        return orjson.dumps({"error": {"message": message, "type": TYPES.get(self.status, "error")}})


def server_error(error: BaseException) -> str:
    """Where an unexpected error happened, for the log: without its message, which may quote a text of the user."""
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"
