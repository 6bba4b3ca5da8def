"""Texts of a corpus on a terminal: escape sequences in them become visible instead of taking effect."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All control characters but tab and line feed. U+009B begins an escape sequence as ESC [ does."""


def visible(text: str) -> str:
    r"""Return a text with its control characters written as escapes.

    >>> visible("red \x1b[31m, title \x9d0;x\x07")
    'red \\x1b[31m, title \\x9d0;x\\x07'
    """
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
