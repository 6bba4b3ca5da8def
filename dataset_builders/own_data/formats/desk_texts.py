"""What the formats of support desks have in common: texts in HTML, and subjects that the desk itself writes."""

from __future__ import annotations

import re
from typing import Any

from dataset_builders.own_data.json_values import as_text

_TAG = re.compile(r"<[^<>]*>|&nbsp;")
_WRITTEN_BY_DESK = re.compile(r"(chat|conversation|call|phone call|voicemail|message) (with|from|to) ", re.IGNORECASE)


def says_nothing(html: str) -> bool:
    """Whether a text, possibly in HTML, has no words.

    >>> says_nothing('<div class="comment"></div>'), says_nothing("<p>Hello</p>")
    (True, False)
    """
    return not _TAG.sub("", html).strip()


def subject(value: Any) -> str | None:
    """The subject of a case; None for one that only names the customer, as desks write for chats and calls.

    >>> subject("Kettle is broken"), subject("Chat with Ann Lee")
    ('Kettle is broken', None)
    """
    text = as_text(value).strip()
    return None if not text or _WRITTEN_BY_DESK.match(text) else text
