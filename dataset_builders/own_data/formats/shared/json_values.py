"""Values of parsed JSON whose types an export may not keep to: what has another type counts as missing."""

from __future__ import annotations

from typing import Any


def as_text(value: Any) -> str:
    """The text of a string or number; empty for anything else.

    >>> as_text("Ann"), as_text(7), as_text(None), as_text(["Ann"])
    ('Ann', '7', '', '')
    """
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def as_dict(value: Any) -> dict[str, Any]:
    """The object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none for anything else.

    >>> dicts([{"id": 1}, None, "x"]), dicts({"id": 1})
    ([{'id': 1}], [])
    """
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def present(**values: Any) -> dict[str, Any]:
    """The values that say something: no null, empty text, list or object.

    >>> present(status="open", priority=None, tags=[])
    {'status': 'open'}
    """
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
