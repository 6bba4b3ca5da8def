"""What the formats of support desks have in common: texts in HTML, subjects, and messages without conversations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text

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


Records = list[tuple[int, Any]]


def by_conversation(records: Iterable[tuple[int, Any]], key: str) -> tuple[dict[str, Records], Records]:
    """The messages of each conversation, which may be interleaved, in the order of their first ones.

    Args:
        records: Line and message.
        key: Key of the conversation's id.

    Returns:
        The messages by the id of their conversation, and the records that are no messages.
    """
    conversations: dict[str, Records] = {}
    others: Records = []
    for line, record in records:
        name = as_text(as_dict(record).get(key))
        (conversations.setdefault(name, []) if name else others).append((line, record))
    return conversations, others
