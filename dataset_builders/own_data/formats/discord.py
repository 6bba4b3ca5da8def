"""DiscordChatExporter (Tyrrrz): export of a channel, thread or direct messages with the format JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds

_NOTICES = {
    *("RecipientAdd", "RecipientRemove", "Call", "ChannelNameChange", "ChannelIconChange", "ChannelPinnedMessage"),
    *("GuildMemberJoin", "ThreadCreated"),
}
_MENTION = re.compile(r"<@!?(\d+)>")
_EMOJI = re.compile(r"<a?(:\w+:)\d+>")


def recognises(probe: Probe) -> bool:
    """Whether it is an object with `guild`, `channel`, `dateRange` and `messages`."""
    export = probe.json
    if not isinstance(export, dict) or "dateRange" not in export:
        return False
    guild, channel = export.get("guild"), export.get("channel")
    is_channel = isinstance(channel, dict) and {"id", "type", "name"} <= channel.keys()
    return isinstance(guild, dict) and "id" in guild and is_channel and isinstance(export.get("messages"), list)


def read(export: Export) -> Iterator[Item]:
    """One conversation: the channel."""
    header = Probe(export.file, export.encoding).json
    channel = header.get("channel") if isinstance(header, dict) else None
    channel = channel if isinstance(channel, dict) else {}
    kind = str(channel.get("type"))
    chat = Conversation([], id=str(channel.get("id") or ""), line=1, is_chat=True, metadata={"channel_type": kind})
    if "Thread" in kind:  # a post of a forum, or a thread: one case with a title
        chat.is_chat, chat.scenario = False, str(channel.get("name") or "") or None
    elif "Guild" in kind:
        chat.metadata["channel"] = str(channel.get("name") or "")
    for line, record in export.items("messages"):
        if not isinstance(record, dict) or not isinstance(record.get("author"), dict):
            yield BadItem("expected a message with `author`, `timestamp` and `content`", record, line)
        else:
            chat.messages.append(_message(record))
    yield chat


def _message(record: dict[str, Any]) -> Message:
    author = record["author"]
    message = Message(_name(author), _text(record), seconds(record.get("timestamp")))
    if author.get("isBot") is True:
        message.role = "system"
    kind = str(record.get("type"))
    if kind in _NOTICES or (kind.isdigit() and 1 <= int(kind) <= 18):
        message.kind = "notice"
    elif not message.text.strip():
        message.kind = "media"
    return message


def _text(record: dict[str, Any]) -> str:
    """The text of a message: its own, that which it forwards, or that of its cards."""
    forwarded = record.get("forwardedMessage")
    parts = [record.get("content"), forwarded.get("content") if isinstance(forwarded, dict) else ""]
    if not any(parts):
        for embed in _objects(record.get("embeds")):
            parts += [embed.get("title"), embed.get("description")]
            parts += [f"{field.get('name')}: {field.get('value')}" for field in _objects(embed.get("fields"))]
    names = {str(user.get("id")): _name(user) for user in _objects(record.get("mentions"))}
    text = "\n".join(str(part) for part in parts if part)
    # the export has names in place of ids unless "format markdown" is off
    return _EMOJI.sub(r"\1", _MENTION.sub(lambda m: f"@{names.get(m[1], m[1])}", text))


def _name(user: dict[str, Any]) -> str:
    return str(user.get("nickname") or user.get("name") or user.get("id") or "")


def _objects(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


FORMAT = Format(
    name="discord",
    title="DiscordChatExporter, JSON",
    rows="dialogues",
    looks=(
        (
            "Server - channel [123].json",
            '{"guild": {...}, "channel": {...}, "dateRange": {...}, "messages": [{"timestamp": ..., "author": ...}]}',
        ),
    ),
    checked=(
        "writer Tyrrrz/DiscordChatExporter DiscordChatExporter.Core/Exporting/JsonMessageWriter.cs and "
        "DiscordChatExporter.Core/Discord/Data/MessageKind.cs"
    ),
    recognises=recognises,
    read=read,
    roles="bots answer (`isBot`); otherwise by names",
    is_chat=True,
)
