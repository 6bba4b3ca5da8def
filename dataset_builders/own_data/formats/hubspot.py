"""HubSpot: the messages of threads from the Conversations API (`threads/ID/messages`), in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.desk_texts import by_conversation, says_nothing, subject
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_THREAD = "conversationsThreadId"
_ROLES: dict[str, Speaker] = {"INCOMING": "user", "OUTGOING": "system"}
_SPOKEN = ("MESSAGE", "WELCOME_MESSAGE")


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a message of a thread, with its type and senders."""
    keys = {_THREAD, "type", "createdAt"}
    return any(keys <= as_dict(record).keys() for record in probe.records_below("results"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each thread; its messages need not be in a row."""
    threads, others = by_conversation(export.records("results"), _THREAD)
    for line, record in others:
        yield bad_item(f"a message with `{_THREAD}`, `type` and `text`", record, line)
    for thread, messages in threads.items():
        subjects = (subject(message.get("subject")) for _, message in messages)
        scenario = next(filter(None, subjects), None)
        yield Conversation([_message(m) for _, m in messages], id=thread, line=messages[0][0], scenario=scenario)


def _message(message: dict[str, Any]) -> Message:
    senders = dicts(message.get("senders"))
    kind, html = as_text(message.get("type")), as_text(message.get("richText"))
    role = "system" if kind == "WELCOME_MESSAGE" else _ROLES.get(as_text(message.get("direction")))
    text = html or as_text(message.get("text"))
    result = Message(
        as_text(senders[0].get("actorId")) if senders else "", text, seconds(message.get("createdAt")), role
    )
    result.is_html = bool(html)
    if kind not in _SPOKEN:
        result.kind = "notice"  # COMMENT is a note among agents
    elif says_nothing(text) and message.get("attachments"):
        result.kind = "media"
    return result


FORMAT = Format(
    name="hubspot",
    title="HubSpot conversations, JSON",
    rows="dialogues",
    looks=(
        (
            "messages.json",
            '{"results": [{"type": "MESSAGE", "conversationsThreadId": "7", "direction": "INCOMING", "text": "Hello", '
            '"createdAt": "...", "senders": [...]}]}, also a list, or JSON Lines',
        ),
    ),
    checked="developers.hubspot.com/docs/api-reference: conversations inbox & messages v3, get messages of a thread",
    recognises=recognises,
    read=read,
    roles="by direction",
)
