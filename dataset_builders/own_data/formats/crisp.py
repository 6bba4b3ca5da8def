"""Crisp: the messages of conversations from the REST API (`website/ID/conversation/SESSION/messages`), in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.desk_texts import by_conversation
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text
from dataset_builders.own_data.messages import Conversation, Item, Kind, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_ROLES: dict[str, Speaker] = {"user": "user", "operator": "system"}
_KINDS: dict[str, Kind] = {"text": "text", "file": "media", "animation": "media", "audio": "media"}
_KEYS = {"session_id", "from", "type", "content", "timestamp", "fingerprint"}


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a message of a user or operator in a session, with a fingerprint."""
    return any(_is_message(record) for record in probe.records_below("data"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each session; its messages need not be in a row."""
    sessions, others = by_conversation(export.records("data"), "session_id")
    for line, record in others:
        yield bad_item("a message with `session_id`, `from` and `content`", record, line)
    for session, messages in sessions.items():
        yield Conversation([_message(m) for _, m in messages], id=session, line=messages[0][0])


def _is_message(record: Any) -> bool:
    message = as_dict(record)
    return message.keys() >= _KEYS and as_text(message["from"]) in _ROLES


def _message(message: dict[str, Any]) -> Message:
    sender = as_text(message.get("from"))
    speaker = as_text(as_dict(message.get("user")).get("user_id")) or sender
    text = as_text(message.get("content"))  # an object for files, pickers and events
    kind = _KINDS.get(as_text(message.get("type")), "notice")
    return Message(speaker, text, seconds(message.get("timestamp")), _ROLES.get(sender), kind)


FORMAT = Format(
    name="crisp",
    title="Crisp, JSON",
    rows="dialogues",
    looks=(
        (
            "messages.json",
            '[{"session_id": "session_1", "from": "user", "type": "text", "content": "Hello", "timestamp": ..., '
            '"fingerprint": ...}], also under "data", or JSON Lines',
        ),
    ),
    checked=(
        "docs.crisp.chat/references/rest-api/v1 (get messages in conversation); messages of its web hooks as quoted in "
        "public clients; github.com/crisp-im/node-crisp-api"
    ),
    recognises=recognises,
    read=read,
    roles="by `from`",
)
