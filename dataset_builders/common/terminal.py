"""Texts of a corpus on a terminal: escape sequences in them become visible instead of taking effect."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All control characters but tab and line feed, and those that turn the order of the letters around.

U+009B begins an escape sequence as ESC [ does.
"""


def visible(text: str) -> str:
    r"""Return a text with its control characters written as escapes.

    >>> visible("red \x1b[31m, title \x9d0;x\x07")
    'red \\x1b[31m, title \\x9d0;x\\x07'
    >>> visible("right to left \u202e")
    'right to left \\u202e'
    """
    return _CONTROLS.sub(lambda match: _escape(ord(match[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
