"""Help Scout: conversations with their threads, from the Mailbox API (2.0 and 1.0), in JSON."""

from __future__ import annotations

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

_TYPES = {
    *("customer", "message", "reply", "note", "lineitem", "chat", "beaconchat", "phone"),
    *("forwardparent", "forwardchild"),
}
_UNSEEN = ("draft", "hidden", "underreview", "review", "deleted")
"""States of threads that the customer did not get."""


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a conversation whose threads have a type and a creator."""
    return any(_is_conversation(record) for record in _records(probe))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each one of the export."""
    for line, record in export.records("items"):
        page = as_dict(as_dict(record).get("_embedded")).get("conversations")
        for conversation in page if isinstance(page, list) else [record]:
            yield _item(conversation, line)


def _records(probe: Probe) -> list[Any]:
    records: list[Any] = []
    for record in probe.records_below("items"):
        page = as_dict(as_dict(record).get("_embedded")).get("conversations")
        records.extend(page if isinstance(page, list) else [record])
    return records


def _item(record: Any, line: int) -> Item:
    conversation = as_dict(as_dict(record).get("item")) or as_dict(record)
    if "subject" not in conversation and "mailboxId" not in conversation and _threads(conversation) is None:
        return bad_item("a conversation with `subject` and `_embedded.threads`", record, line)
    if _threads(conversation) is None:
        return BadItem("the conversation has no threads; ask the API for them: `?embed=threads`", record, line)
    return _conversation(conversation, line)


def _threads(conversation: dict[str, Any]) -> list[dict[str, Any]] | None:
    threads = as_dict(conversation.get("_embedded")).get("threads")
    threads = threads if isinstance(threads, list) else conversation.get("threads")  # in 2.0 their number
    return dicts(threads) if isinstance(threads, list) else None


def _is_conversation(record: Any) -> bool:
    conversation = as_dict(as_dict(record).get("item")) or as_dict(record)
    if "mailboxId" not in conversation and "mailbox" not in conversation:
        return False
    threads = _threads(conversation) or []
    return any(
        as_text(thread.get("type")) in _TYPES and "type" in as_dict(thread.get("createdBy")) for thread in threads
    )


def _conversation(conversation: dict[str, Any], line: int) -> Conversation:
    tags = conversation.get("tags")
    threads = _threads(conversation) or []
    ratings = [as_dict(thread.get("rating")).get("rating") for thread in threads]
    return Conversation(
        [_message(thread) for thread in threads],
        id=as_text(conversation.get("id")),
        line=line,
        scenario=subject(conversation.get("subject")),
        metadata=present(
            status=conversation.get("status"),
            type=conversation.get("type"),
            channel=as_dict(conversation.get("source")).get("type"),
            tags=[as_dict(tag).get("tag") or tag for tag in tags] if isinstance(tags, list) else None,
            rating=next(filter(None, ratings), None),
        ),
    )


def _message(thread: dict[str, Any]) -> Message:
    kind, author = as_text(thread.get("type")), as_dict(thread.get("createdBy"))
    text = as_text(thread.get("body"))
    message = Message(as_text(author.get("id")), text, seconds(thread.get("createdAt")), _role(kind, author))
    message.is_html = True
    if kind in ("note", "lineitem") or as_text(thread.get("state")) in _UNSEEN:
        message.kind = "notice"
        message.text = text or as_text(as_dict(thread.get("action")).get("text"))
    elif says_nothing(text) and as_dict(thread.get("_embedded")).get("attachments"):
        message.kind = "media"
    return message


def _role(kind: str, author: dict[str, Any]) -> Speaker:
    if kind in ("message", "reply", "note", "lineitem"):
        return "system"
    return "user" if kind == "customer" or author.get("type") == "customer" else "system"


FORMAT = Format(
    name="helpscout",
    title="Help Scout, JSON",
    rows="dialogues",
    looks=(
        (
            "conversations.json",
            '{"_embedded": {"conversations": [{"id": 7, "subject": "...", "mailboxId": 1, '
            '"_embedded": {"threads": [{"type": "customer", "createdBy": {...}, "body": "..."}]}}]}}',
        ),
        ("conversation.json", '{"item": {"id": 7, "subject": "...", "mailbox": {...}, "threads": [{...}]}} (API 1.0)'),
    ),
    checked=(
        "developer.helpscout.com: mailbox-api list threads (v2, v3), get conversation; help-desk-api/objects/thread "
        "(1.0); schemas of singer-io/tap-helpscout (conversation_threads.json)"
    ),
    recognises=recognises,
    read=read,
    roles="by the thread's type",
)
