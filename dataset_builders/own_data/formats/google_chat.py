"""Google Chat: Google Takeout, `Google Chat/Groups/<DM or Space>/messages.json`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe

_TIMES = ("%B %d, %Y at %I:%M:%S %p UTC", "%d %B %Y at %H:%M:%S UTC", "%B %d, %Y at %H:%M:%S UTC")
_WEEKDAY = re.compile(r"^\w+, ")


def recognises(probe: Probe) -> bool:
    """Whether it is an object with messages that have a `creator`, a `created_date` and a `topic_id`."""
    group = probe.json
    messages = group.get("messages") if isinstance(group, dict) else None
    first = messages[0] if isinstance(messages, list) and messages else None
    return (
        isinstance(first, dict)
        and {"creator", "created_date", "topic_id"} <= first.keys()
        and isinstance(first["creator"], dict)
    )


def read(export: Export) -> Iterator[Item]:
    """A conversation for each thread of a space, and one for the rest, or for the whole of a direct chat."""
    # in direct chats, most messages are topics of their own
    is_direct = PurePosixPath(export.file.name).parent.name.startswith("DM ")
    sizes: Counter[str] = Counter()
    if not is_direct:
        sizes.update(str(r.get("topic_id")) for _, r in export.items("messages") if isinstance(r, dict))
    conversations: dict[str, Conversation] = {}
    for line, record in export.items("messages"):
        if not isinstance(record, dict) or not isinstance(record.get("creator"), dict):
            yield bad_item("a message with `creator`, `created_date` and `topic_id`", record, line)
            continue
        topic = str(record.get("topic_id"))
        topic = topic if sizes[topic] > 1 else ""
        if topic not in conversations:
            conversations[topic] = Conversation([], id=topic, line=line, is_chat=not topic)
        conversations[topic].messages.append(_message(record))
    yield from conversations.values()


def _message(record: dict[str, Any]) -> Message:
    creator = record["creator"]
    message = Message(str(creator.get("name") or creator.get("email") or ""), str(record.get("text") or ""))
    message.time = _seconds(str(record.get("created_date") or ""))
    if creator.get("user_type") == "Bot":
        message.role = "system"
    if record.get("message_state") == "DELETED" or "deletion_metadata" in record:
        message.kind = "notice"
    elif not message.text.strip():
        message.kind = "media"
    return message


def _seconds(text: str) -> float | None:
    """The time of `Saturday, January 31, 2026 at 12:00:05 PM UTC`; None in another language than English."""
    plain = _WEEKDAY.sub("", " ".join(text.split()))
    for form in _TIMES:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=timezone.utc).timestamp()
        except ValueError:
            continue
    return None


FORMAT = Format(
    name="google-chat",
    title="Google Chat (Takeout), JSON",
    rows="dialogues",
    looks=(
        (
            "Google Chat/Groups/Space AAA/messages.json",
            '{"messages": [{"creator": {"name": "Anna", "user_type": "Human"}, "created_date": ..., "text": ..., '
            '"topic_id": ...}]}',
        ),
    ),
    checked="a public description of the Takeout files (Memoria, Google Chat Messages Schema); no document by Google",
    recognises=recognises,
    read=read,
    roles="bots answer (`user_type`); otherwise by names",
    is_chat=True,
)
