"""Intercom: conversations with their parts, from the Conversations API or a data export, in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.desk_texts import says_nothing, subject
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts, present
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_ROLES: dict[str, Speaker] = {
    **dict.fromkeys(("user", "lead", "contact", "visitor"), "user"),
    **dict.fromkeys(("admin", "bot", "team", "operator"), "system"),
}
_TAG = re.compile(r"<[^<>]*>")
_SPOKEN = ("comment", "quick_reply", "assignment", "open", "close")
"""Types of parts whose body the customer sees: an answer may also assign, open or close the conversation."""


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a conversation.

    Its `source` (or `conversation_message`) has an author and a body, and its parts have a `part_type`; without parts,
    it has the type `conversation`, and the source has `delivered_as`.
    """
    return any(_is_conversation(record) for record in probe.records_below("conversations"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each one of the export."""
    for line, record in export.records("conversations"):
        conversation = as_dict(record)
        if not _first(conversation):
            yield bad_item("a conversation with `source` and `conversation_parts`", record, line)
        elif _parts(conversation) is None:
            reason = "the conversation has no `conversation_parts`: a list of conversations lacks them, retrieve each"
            yield BadItem(reason, record, line)
        else:
            yield _conversation(conversation, line)


def _is_conversation(record: Any) -> bool:
    conversation = as_dict(record)
    first = _first(conversation)
    if "author" not in first or "body" not in first:
        return False
    if any("part_type" in part for part in _parts(conversation) or []):
        return True
    return conversation.get("type") == "conversation" and "delivered_as" in first


def _first(conversation: dict[str, Any]) -> dict[str, Any]:
    return as_dict(conversation.get("source")) or as_dict(conversation.get("conversation_message"))


def _parts(conversation: dict[str, Any]) -> list[dict[str, Any]] | None:
    parts = conversation.get("conversation_parts")
    parts = parts.get("conversation_parts") if isinstance(parts, dict) else parts
    return dicts(parts) if isinstance(parts, list) else None


def _conversation(conversation: dict[str, Any], line: int) -> Conversation:
    first = _first(conversation)
    tags = conversation.get("tags")
    tags = tags.get("tags") if isinstance(tags, dict) else tags
    rating = as_dict(conversation.get("conversation_rating"))
    return Conversation(
        [
            _message({**first, "part_type": "comment", "created_at": conversation.get("created_at")}),
            *(_message(part) for part in _parts(conversation) or []),
        ],
        id=as_text(conversation.get("id")),
        line=line,
        scenario=subject(conversation.get("title")) or subject(_TAG.sub("", as_text(first.get("subject")))),
        metadata=present(
            state=conversation.get("state"),
            priority=conversation.get("priority"),
            channel=first.get("type") if "source" in conversation else None,
            delivered_as=first.get("delivered_as"),
            tags=[as_text(tag.get("name")) for tag in dicts(tags)],
            rating=rating.get("rating"),
        ),
    )


def _message(part: dict[str, Any]) -> Message:
    author, kind, body = as_dict(part.get("author")), as_text(part.get("part_type")), as_text(part.get("body"))
    role = _ROLES.get(as_text(author.get("type")))
    speaker = as_text(author.get("id")) or as_text(author.get("type"))
    message = Message(speaker, body, seconds(part.get("created_at")), role, is_html=True)
    if kind not in _SPOKEN or (kind != "comment" and says_nothing(body)):
        message.kind = "notice"
    elif part.get("attachments") and says_nothing(body):
        message.kind = "media"
    return message


FORMAT = Format(
    name="intercom",
    title="Intercom, JSON",
    rows="dialogues",
    looks=(
        (
            "conversations.json",
            '{"type": "conversation", "id": "7", "source": {"author": {"type": "user"}, "body": "<p>...</p>"}, '
            '"conversation_parts": {"conversation_parts": [{"part_type": "comment", ...}]}}',
        ),
        ("conversations.json", '{"type": "conversation.list", "conversations": [{...}]}, a list, or JSON Lines'),
    ),
    checked=(
        "developers.intercom.com/docs/references: conversation, conversation part (1.0 to 2.11), manage one; "
        "types of intercom-client 7.0.3; schemas of singer-io/tap-intercom (conversations.json)"
    ),
    recognises=recognises,
    read=read,
    roles="by the author's type",
)
