"""Messages about requests that are not as expected, in plain words. They quote keys, never texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cube_model.serving.errors import RefusalError

_SHOWN = 3
"""Maximum number of problems in a message."""

_LONGEST_NAME = 60

_NEEDED = {"/reply": "an assistant", "/intent": "an assistant that was built with --intents"}
"""Path that a server may lack -> what it needs."""

_WORDS = {
    "missing": "is missing",
    "string_type": "expected a text",
    "string_unicode": "expected a text in UTF-8, found half of a character (a lone surrogate)",
    "string_too_short": "expected a text that is not empty",
    "int_type": "expected a whole number",
    "list_type": "expected a list",
    "dict_type": "expected an object",
    "extra_forbidden": "unknown; see /docs for the keys",
}
"""Type of pydantic's error -> its message."""


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> str:
    """The message about errors of pydantic.

    >>> invalid_request([{"type": "missing", "loc": ("body", "text"), "msg": "Field required"}])
    '`text` is missing'
    """
    lines = list(dict.fromkeys(map(_message, errors)))
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"the request is not JSON (from character {error['loc'][-1]})"
    name = _name(error["loc"][1:])
    problem = error.get("ctx", {}).get("error")
    words = str(problem) if isinstance(problem, ValueError) else _WORDS.get(error["type"]) or error["msg"]
    words = words[:1].lower() + words[1:]
    if not name and error["type"] == "string_unicode":
        return "a key has half of a character (a lone surrogate)"
    if not name:
        return "expected an object as JSON; see /docs for its keys"
    return f"`{name}` {words}" if words.startswith(("is ", "unknown")) else f"`{name}`: {words}"


def _name(place: Sequence[str | int]) -> str:
    """The name of a key: ("context", 0) -> `context[0]`; the parts of a union, which have no name, are left out."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place if part not in ("str", "list[str]")]
    name = "".join(parts).lstrip(".")
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def http_error(status: int, headers: Mapping[str, str] | None, paths: Sequence[str]) -> RefusalError:
    """The refusal of a request for which the application has no path, or that it cannot read.

    Args:
        status: HTTP status.
        headers: Further headers of the response.
        paths: Paths of the application.
    """
    allowed = next((value for name, value in (headers or {}).items() if name.lower() == "allow"), "another method")
    lacking = [f"{path} needs {needed}" for path, needed in _NEEDED.items() if path not in paths]
    words = {
        400: "the request is not JSON in UTF-8, or nested too deeply",
        404: "; ".join([f"no such path; this server has {', '.join(paths)}", *lacking]),
        405: f"this path takes {allowed}; see /docs",
    }
    return RefusalError(status, words.get(status, "the request cannot be answered"), headers)
