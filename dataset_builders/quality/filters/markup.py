"""Filter: HTML, entities and escape sequences in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import ClassVar

import pyarrow as pa

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import TextFilter, findings, matching

# HTML elements that occur in scraped text; "<3", "< 5 nights" and the placeholder "<name>" are no markup
_TAG = (
    r"</?(?:a|abbr|b|blockquote|body|br|button|code|div|em|font|form|h[1-6]|head|hr|html|i|iframe|img|input|label|li|link"
    r"|meta|ol|option|p|pre|script|select|small|span|strong|style|sub|sup|table|tbody|td|textarea|th|thead|title|tr|u|ul"
    r"|video)(?:\s[^<>]*)?/?>"
)
_COMMENT = r"<!--|<!\[CDATA\[|<!DOCTYPE"
_ENTITY = r"&(?:#[0-9]{2,7}|#x[0-9a-f]{2,6}|[a-z]{2,8}[0-9]{0,2});"
# \n, \t, \" and \u0041 as two or six visible characters; a path like C:\new has a letter or a colon before them
_ESCAPE = r"(?:^|[\s.,;!?])\\+(?:[nrt](?:\s|$|\\|[A-Z])|u[0-9a-f]{4})|\\[rn]$"
_ANY = rf"(?i:{_TAG}|{_COMMENT}|{_ENTITY})|{_ESCAPE}"


@dataclass(frozen=True)
class Markup(TextFilter):
    """Texts with HTML tags, comments or entities, or with escape sequences (a visible backslash and n).

    These are traces of a page or a file format, not words of a speaker. Only HTML elements count as tags (HTML Living
    Standard, index of elements), and only entities that `html.unescape` decodes.

    Example: "Tea &amp; cake<br>" -> "&amp;"; near misses: "under < 20 pounds", "R&B; soul", "I <3 it".
    """

    name: ClassVar[str] = "markup"
    description: ClassVar[str] = "A text holds HTML, an entity or an escape sequence."

    def hits(self, texts: pa.Array) -> Findings:
        """The texts with markup. Value: the first piece of markup."""
        rows, values = [], []
        candidates = matching(texts, _ANY, r"[<&\\]")
        for row, text in zip(candidates.tolist(), texts.take(pa.array(candidates)).to_pylist(), strict=True):
            pieces = (match.group() for match in re.finditer(_ANY, text))
            piece = next((p for p in pieces if not p.startswith("&") or unescape(p) != p), None)
            if piece is not None:
                rows.append(row)
                values.append(piece.lstrip(" .,;!?").rstrip())  # the pattern of escapes includes the mark before them
        return findings(rows, values)
