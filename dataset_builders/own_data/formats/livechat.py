"""LiveChat: chats from the Agent Chat API 3.x (`list_archives`, `get_chat`) or the REST API 2.0 (`chats`), in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts, present
from dataset_builders.own_data.messages import Conversation, Item, Kind, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_ROLES: dict[str, Speaker] = {"customer": "user", "visitor": "user", "agent": "system", "bot": "system"}
_KINDS: dict[str, Kind] = {"message": "text", "rich_message": "text", "file": "media", "attachment": "media"}


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a chat.

    It has `users` of type agent or customer, and threads with events; or a `visitor`, and messages with `user_type`.
    """
    return any((_users(chat) and _threads(chat)) or _old_events(chat) for chat in probe.records_below("chats"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each thread: a customer has one chat, with a thread for each case."""
    for line, chat in export.records("chats"):
        if events := _old_events(chat):
            yield _old_conversation(chat, events, line)
        elif _users(chat) and _threads(chat):
            yield from (_conversation(chat, thread, line) for thread in _threads(chat))
        else:
            yield bad_item("a chat with `users` and `thread`, or with `visitor` and `messages`", chat, line)


def _users(chat: Any) -> dict[str, Speaker]:
    """Role by user id."""
    users = dicts(as_dict(chat).get("users"))
    return {
        as_text(user.get("id")): _ROLES[user["type"]] for user in users if user.get("type") in ("customer", "agent")
    }


def _threads(chat: Any) -> list[dict[str, Any]]:
    threads = [as_dict(as_dict(chat).get("thread")), *dicts(as_dict(chat).get("threads"))]
    return [thread for thread in threads if isinstance(thread.get("events"), list)]


def _conversation(chat: dict[str, Any], thread: dict[str, Any], line: int) -> Conversation:
    roles = _users(chat)
    return Conversation(
        [_message(event, roles) for event in dicts(thread["events"])],
        id=as_text(thread.get("id")) or as_text(chat.get("id")),
        line=line,
        metadata=present(chat=chat.get("id"), tags=thread.get("tags")),
    )


def _message(event: dict[str, Any], roles: dict[str, Speaker]) -> Message:
    author, kind = as_text(event.get("author_id")), as_text(event.get("type"))
    message = Message(author, as_text(event.get("text")), seconds(event.get("created_at")), roles.get(author))
    message.kind = _KINDS.get(kind, "notice")
    if kind == "rich_message":
        message.text = _rich_text(event)
    if "agents" in (event.get("visibility"), event.get("recipients")):  # agents whisper to each other
        message.kind = "notice"
    return message


def _rich_text(event: dict[str, Any]) -> str:
    """The titles, subtitles and buttons of the cards."""
    parts: list[str] = []
    for element in dicts(event.get("elements")):
        parts += [as_text(element.get("title")), as_text(element.get("subtitle"))]
        parts += [as_text(button.get("text")) for button in dicts(element.get("buttons"))]
    return "\n".join(filter(None, parts))


def _old_events(chat: Any) -> list[dict[str, Any]]:
    """The events of a chat of API 2.0, else its messages."""
    if not isinstance(as_dict(chat).get("visitor"), dict):
        return []
    events = dicts(chat.get("events")) or dicts(chat.get("messages"))
    return events if any("user_type" in event and "text" in event for event in events) else []


def _old_conversation(chat: dict[str, Any], events: list[dict[str, Any]], line: int) -> Conversation:
    messages = []
    for event in events:
        role, time = _ROLES.get(as_text(event.get("user_type"))), seconds(event.get("timestamp"))
        message = Message(as_text(event.get("author_name")), as_text(event.get("text")), time, role)
        message.kind = _KINDS.get(as_text(event.get("type") or "message"), "notice")
        if event.get("user_type") == "supervisor":  # only the agent sees what a supervisor writes
            message.role, message.kind = "system", "notice"
        messages.append(message)
    metadata = present(tags=chat.get("tags"), rating=chat.get("rate"), engagement=chat.get("engagement"))
    return Conversation(messages, id=as_text(chat.get("id")), line=line, metadata=metadata)


FORMAT = Format(
    name="livechat",
    title="LiveChat, JSON",
    rows="dialogues",
    looks=(
        (
            "archives.json",
            '{"chats": [{"id": "P1", "users": [{"type": "customer", ...}], "thread": {"events": [...]}}]}',
        ),
        ("chats.json", '{"chats": [{"type": "chat", "visitor": {...}, "messages": [{"user_type": "agent", ...}]}]}'),
    ),
    checked=(
        "github.com/livechat/livechat-public-docs: agent-chat-api v3.5 (list_archives, get_chat, data structures), "
        "rest-api/_archives.md (2.0)"
    ),
    recognises=recognises,
    read=read,
    roles="by the user's type",
)
