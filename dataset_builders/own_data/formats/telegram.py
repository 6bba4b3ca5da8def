"""Telegram Desktop: "Export chat history" of one chat, or "Export Telegram data", as machine-readable JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_CHAT_TYPES = {
    *("personal_chat", "bot_chat", "private_group", "private_supergroup", "public_supergroup", "saved_messages"),
    *("private_channel", "public_channel", "replies", "verification_codes"),
}
_LISTS = ("chats", "left_chats")
_SECTIONS = {
    *("about", "personal_information", "profile_pictures", "stories", "contacts", "frequent_contacts", "sessions"),
    *("web_sessions", "other_data", *_LISTS),
}


def recognises(probe: Probe) -> bool:
    """Whether it is one chat with `type`, `id` and `messages`, or a full export with such chats below `chats.list`."""
    export = probe.json
    if not isinstance(export, dict):
        return False
    if _is_chat(export) or any(_is_chat(chat) for name in _LISTS for chat in _chats(export.get(name))):
        return True
    # the chats come last, after what may be a long list of contacts
    return not probe.is_whole and {"about"} < export.keys() <= _SECTIONS


def read(export: Export) -> Iterator[Item]:
    """A conversation for each chat, and one for each topic of a group with topics."""
    beginning = Probe(export.file, export.encoding).json
    if isinstance(beginning, dict) and "messages" in beginning:
        try:
            yield from _conversations(export.json(), 1)
        except BadRecord as error:
            yield BadItem(str(error))
        return
    for name in _LISTS:
        for line, chat in export.items(name, "list"):
            yield from _conversations(chat, line)


def _is_chat(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("type"), str)
        and value["type"] in _CHAT_TYPES
        and isinstance(value.get("id"), int)
        and isinstance(value.get("messages"), list)
    )


def _chats(part: Any) -> list[Any]:
    chats = part.get("list") if isinstance(part, dict) else None
    return chats if isinstance(chats, list) else []


def _conversations(chat: Any, line: int) -> Iterator[Item]:
    if not _is_chat(chat):
        yield BadItem("expected a chat with `type`, `id` and `messages`", chat, line)
        return
    bot = f"user{chat['id']}" if chat["type"] == "bot_chat" else ""
    topics: dict[str, Conversation] = {}
    topic_of: dict[str, str] = {}  # id of a message -> id of the message that opened its topic
    for record in chat["messages"]:
        if not isinstance(record, dict):
            yield BadItem("expected a message, an object with `type`", record, line)
            continue
        name, opens = str(record.get("id")), record.get("action") == "topic_created"
        topic = topic_of[name] = name if opens else topic_of.get(str(record.get("reply_to_message_id")), "")
        if topic not in topics:
            place = f"{chat['id']}/{topic}" if topic else str(chat["id"])
            topics[topic] = Conversation([], id=place, line=line, is_chat=True, metadata={"chat_type": chat["type"]})
        if opens and record.get("title"):
            topics[topic].scenario = str(record["title"])
        topics[topic].messages.append(_message(record, bot))
    yield from topics.values()


def _message(record: dict[str, Any], bot: str) -> Message:
    time = seconds(record.get("date_unixtime")) or seconds(record.get("date"))
    text = _text(record.get("text") or record.get("text_entities"))
    if record.get("type") == "service":
        return Message(str(record.get("actor") or ""), text or str(record.get("action") or ""), time, kind="notice")
    # accounts that were deleted have no name, only an id
    speaker = str(record.get("from") or record.get("from_id") or "")
    role: Speaker | None = None
    if bot:
        role = "system" if record.get("from_id") == bot else "user"
    poll = record.get("poll")
    if not text and isinstance(poll, dict):
        return Message(speaker, _text(poll.get("question")), time, role, kind="media")
    return Message(speaker, text, time, role, kind="text" if text.strip() else "media")


def _text(text: Any) -> str:
    """The text of a string, or of a list of strings and rich parts (links, bold words)."""
    parts = text if isinstance(text, list) else [text]
    return "".join(str(part.get("text") or "") if isinstance(part, dict) else str(part or "") for part in parts)


FORMAT = Format(
    name="telegram",
    title="Telegram Desktop, JSON",
    rows="dialogues",
    looks=(
        ("result.json", '{"name": "Anna", "type": "personal_chat", "id": 1, "messages": [{"type": "message", ...}]}'),
        ("result.json", '{"personal_information": {}, "chats": {"list": [{"type": "personal_chat", ...}]}}'),
    ),
    checked=(
        "writer telegramdesktop/tdesktop Telegram/SourceFiles/export/output/export_output_json.cpp; "
        "parsers joweich/chat-miner chatminer/chatparsers.py and mlomb/chat-analytics TelegramParser.ts"
    ),
    recognises=recognises,
    read=read,
    roles="in a chat with a bot, the bot answers; otherwise by names",
    is_chat=True,
)
