"""Skype: "Export files and chat history", `messages.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds

_SPOKEN = ("Text", "RichText")
_QUOTE = re.compile(r"<quote\b.*?</quote>", re.DOTALL)
_EDIT = re.compile(r"<e_m\b[^>]*?(?:/>|></e_m>)")


def recognises(probe: Probe) -> bool:
    """Whether it is an object with `userId`, `exportDate` and conversations that have a `MessageList`."""
    export = probe.json
    if not isinstance(export, dict) or not {"userId", "exportDate"} <= export.keys():
        return False
    chats = export.get("conversations")
    return isinstance(chats, list) and any(isinstance(c, dict) and "MessageList" in c for c in chats[:10])


def read(export: Export) -> Iterator[Item]:
    """A conversation for each chat."""
    for line, chat in export.items("conversations"):
        records = chat.get("MessageList") if isinstance(chat, dict) else None
        if not isinstance(records, list):
            yield BadItem("expected a conversation with a `MessageList`", chat, line)
            continue
        # one's own messages have no `displayName` in most exports
        named = (record for record in records if isinstance(record, dict) and record.get("displayName"))
        names = {str(record.get("from")): str(record["displayName"]) for record in named}
        messages = [_message(record, names) for record in reversed(records) if isinstance(record, dict)]
        yield Conversation(messages, id=_without_address(chat.get("id")), line=line, is_chat=True)


def _message(record: dict[str, Any], names: dict[str, str]) -> Message:
    sender, kind = str(record.get("from") or ""), str(record.get("messagetype") or "")
    text = _EDIT.sub("", _QUOTE.sub("", str(record.get("content") or "")))
    message = Message(names.get(sender, sender), text, seconds(record.get("originalarrivaltime")))
    if sender.startswith("28:"):  # accounts of bots
        message.role = "system"
    if kind in _SPOKEN:
        message.is_html = kind == "RichText"
        message.kind = "text" if text.strip() else "media"
    else:
        message.kind = "media" if kind.startswith("RichText/") or kind == "Poll" else "notice"
    return message


def _without_address(name: Any) -> str:
    """The id of a group chat; that of a chat with one person is the person's account, or a telephone number."""
    text = str(name or "")
    return text if text.startswith("19:") else ""


FORMAT = Format(
    name="skype",
    title="Skype, JSON",
    rows="dialogues",
    looks=(
        (
            "messages.json",
            '{"userId": ..., "exportDate": ..., "conversations": [{"MessageList": [{"messagetype": "RichText", '
            '"originalarrivaltime": ..., "from": ..., "content": ...}]}]}',
        ),
    ),
    checked="parsers siwen-r/skype-export-parser src/types/SkypeExport.d.ts, kcoderhtml/mini-me type.ts",
    recognises=recognises,
    read=read,
    roles="bots answer (accounts `28:`); otherwise by names",
    is_chat=True,
)
