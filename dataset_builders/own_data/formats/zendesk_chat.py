"""Zendesk Chat (Zopim): chats and offline messages, from the Chat API's `chats` or incremental export, in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts, present
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a visitor's chat with `chat.*` events, or an offline message."""
    return any(_is_chat(record) for record in probe.records_below("chats"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each chat."""
    for line, chat in export.records("chats"):
        if not isinstance(chat, dict) or chat.get("type") not in ("chat", "offline_msg"):
            yield bad_item('a chat with `"type": "chat"` or `"offline_msg"`, `visitor` and `history`', chat, line)
        elif chat["type"] == "chat" and not isinstance(chat.get("history"), list):
            yield bad_item("a chat with its events in `history`", chat, line)
        else:
            yield _conversation(chat, line)


def _is_chat(record: Any) -> bool:
    chat = as_dict(record)
    if not isinstance(chat.get("visitor"), dict):
        return False
    if chat.get("type") == "offline_msg":
        return isinstance(chat.get("message"), str) and "session" in chat
    events = dicts(chat.get("history"))
    return chat.get("type") == "chat" and any(as_text(event.get("type")).startswith("chat.") for event in events)


def _conversation(chat: dict[str, Any], line: int) -> Conversation:
    messages = [_message(event, chat) for event in dicts(chat.get("history"))]
    if chat["type"] == "offline_msg":
        visitor = as_text(as_dict(chat.get("visitor")).get("name"))
        messages.insert(0, Message(visitor, as_text(chat.get("message")), seconds(chat.get("timestamp")), "user"))
    return Conversation(
        messages,
        id=as_text(chat.get("id")),
        line=line,
        metadata=present(
            type=chat.get("type"),
            department=chat.get("department_name"),
            tags=chat.get("tags"),
            rating=chat.get("rating"),
            missed=chat.get("missed"),
        ),
    )


def _message(event: dict[str, Any], chat: dict[str, Any]) -> Message:
    kind = as_text(event.get("type"))
    text = as_text(event.get("msg"))
    message = Message(as_text(event.get("name")), text, seconds(event.get("timestamp")), _role(event, chat))
    if kind.startswith("chat.file") or (kind == "chat.msg" and not text.strip() and event.get("attachment")):
        message.kind = "media"
    elif kind != "chat.msg":
        message.kind = "notice"
        message.text = text or kind
    return message


def _role(event: dict[str, Any], chat: dict[str, Any]) -> Speaker | None:
    nick, sender = as_text(event.get("nick")).lower(), as_text(event.get("sender_type")).lower()
    if nick.startswith("visitor") or sender == "visitor":
        return "user"
    if nick.startswith("agent") or sender in ("agent", "trigger", "bot"):
        return "system"
    name = as_text(event.get("name"))
    if name and name == as_text(as_dict(chat.get("visitor")).get("name")):
        return "user"
    agents = chat.get("agent_names")
    return "system" if isinstance(agents, list) and name in agents else None


FORMAT = Format(
    name="zendesk-chat",
    title="Zendesk Chat, JSON",
    rows="dialogues",
    looks=(
        ("chats.json", '{"chats": [{"type": "chat", "visitor": {...}, "history": [{"type": "chat.msg", ...}]}]}'),
        ("chats.json", '[{"type": "offline_msg", "visitor": {...}, "message": "...", "session": {...}}]'),
    ),
    checked=(
        "developer.zendesk.com/api-reference/live-chat/chat-api: chats, incremental export; schemas of "
        "singer-io/tap-zendesk-chat (chats.json, chat_history.json)"
    ),
    recognises=recognises,
    read=read,
    roles="by nick, sender type or name",
)
