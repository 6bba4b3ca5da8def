"""Slack: "Export data" of a workspace (folder or zip) with `users.json`, and a file for each day of each channel."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.sources.raw_files import RawFile

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json(\.gz)?")
_TIME = re.compile(r"\d{9,10}\.\d{6}")
_USERS = ("users.json", "org_users.json")
_TABLES = {
    *(*_USERS, "channels.json", "groups.json", "dms.json", "mpims.json"),
    *(
        "integration_logs.json",
        "canvases.json",
        "content_flags.json",
        "huddle_transcripts.json",
        "file_conversations.json",
    ),
}
_SPOKEN = {"", "bot_message", "me_message", "thread_broadcast", "reply_broadcast", "file_share", "file_comment"}
"""Subtypes of what people and bots write; all others are notices: `channel_join`, `pinned_item`, `tombstone`..."""

# <@U123>, <#C123|general>, <!here>, <!date^1769860800^{date}|31 January>, <https://a.example|our page>
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")


def recognises(probe: Probe) -> bool:
    """Whether it is the list of messages of a day, each with a Slack time stamp (`1769860800.000200`)."""
    if not _DAY.fullmatch(PurePosixPath(probe.name).name) or not isinstance(probe.json, list):
        return False
    messages = [m for m in probe.json[:10] if isinstance(m, dict) and "ts" in m]
    return bool(messages) and all(_TIME.fullmatch(str(m["ts"])) and m.get("type") == "message" for m in messages)


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other days of the channel, and the tables of users and channels beside its folder."""
    channel = PurePosixPath(file.name).parent
    return tuple(f for f in files if f != file and (_is_day(f, channel) or _is_table(f, channel.parent)))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each thread, and one for the rest of the channel."""
    channel = PurePosixPath(export.file.name).parent
    tables = {PurePosixPath(f.name).name: f for f in export.companions if _is_table(f, channel.parent)}
    days = sorted([export.file, *(f for f in export.companions if _is_day(f, channel))], key=lambda f: f.name)
    names: dict[str, str] = {}
    for table in (tables[name] for name in _USERS if name in tables):
        try:
            names |= {str(user.get("id")): _name_of(user) for user in _objects(export.json(table))}
        except BadRecord as error:
            yield BadItem(f"{table.name}: {error}")
    records: list[dict[str, Any]] = []
    for day in days:
        try:
            content = export.json(day)
        except BadRecord as error:
            yield BadItem(f"{day.name}: {error}")
            continue
        for record in content if isinstance(content, list) else [content]:
            if isinstance(record, dict) and "ts" in record:
                records.append(record)
            else:
                yield BadItem("expected a message with `ts` and `text`", record)
    # a message with answers is the first of its thread, not also a message of the channel
    threads = {str(record["thread_ts"]) for record in records if record.get("thread_ts") not in (None, record["ts"])}
    metadata = {} if re.fullmatch(r"[DGC][A-Z0-9]{8,}|mpdm-.*", channel.name) else {"channel": channel.name}
    conversations: dict[str, Conversation] = {}
    for record in records:
        first = str(record.get("thread_ts") or record["ts"])
        thread = first if first in threads else ""
        if thread not in conversations:
            name = f"{channel.name}/{thread}" if thread else channel.name
            conversations[thread] = Conversation([], id=name, is_chat=not thread, metadata=dict(metadata))
        conversations[thread].messages.append(_message(record, names))
    yield from conversations.values()


def _is_day(file: RawFile, channel: PurePosixPath) -> bool:
    place = PurePosixPath(file.name)
    return place.parent == channel and _DAY.fullmatch(place.name) is not None


def _is_table(file: RawFile, root: PurePosixPath) -> bool:
    place = PurePosixPath(file.name)
    return place.parent == root and place.name in _TABLES


def _message(record: dict[str, Any], names: dict[str, str]) -> Message:
    user, subtype = str(record.get("user") or ""), str(record.get("subtype") or "")
    bot = record.get("bot_profile")
    profile = record.get("user_profile")
    name = names.get(user) or (_name_of({"profile": profile}) if isinstance(profile, dict) else "")
    if isinstance(bot, dict) or record.get("bot_id"):
        name = name or str(record.get("username") or (bot or {}).get("name") or record.get("bot_id") or "")
    message = Message(name or str(record.get("username") or user), _text(record, names), seconds(record.get("ts")))
    if subtype == "bot_message" or record.get("bot_id"):
        message.role = "system"
    if subtype not in _SPOKEN or record.get("hidden") is True:
        message.kind = "notice"
    elif not message.text.strip():
        message.kind = "media"
    return message


def _text(record: dict[str, Any], names: dict[str, str]) -> str:
    """The text of a message: its own; else, as programs write, that of its blocks or its cards."""
    text = str(record.get("text") or "") or "\n".join(_block_texts(record.get("blocks")))
    if not text:
        for card in _objects(record.get("attachments")):
            parts = [card.get(key) for key in ("pretext", "title", "text")]
            text += "\n".join(str(part) for part in (parts if any(parts) else [card.get("fallback")]) if part)

    def plain(match: re.Match[str]) -> str:
        sign, target, label = match.groups()
        if sign == "@":
            return f"@{label or names.get(target, target)}"
        if sign == "#":
            return f"#{label or target}"
        if sign == "!":
            return label or f"@{target}"
        return label or target.removeprefix("mailto:")

    return html.unescape(_REFERENCE.sub(plain, text))


def _block_texts(value: Any) -> Iterator[str]:
    """All texts inside blocks."""
    if isinstance(value, list):
        for part in value:
            yield from _block_texts(part)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for part in value.values():
            yield from _block_texts(part)


def _name_of(user: dict[str, Any]) -> str:
    profile = user.get("profile")
    places = (profile if isinstance(profile, dict) else {}, user)
    named = (place.get(key) for key in ("display_name", "real_name", "name") for place in places)
    return next((str(name) for name in named if name), str(user.get("id") or ""))


def _objects(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


FORMAT = Format(
    name="slack",
    title="Slack workspace export, JSON",
    rows="dialogues",
    looks=(
        (
            "general/2026-01-31.json",
            '[{"type": "message", "user": "U01ABC", "text": "...", "ts": "1769860800.000200", "thread_ts": ...}]',
        ),
        ("users.json", '[{"id": "U01ABC", "name": "anna", "profile": {"display_name": "Anna"}}]'),
    ),
    checked=(
        "slack.com/help/articles/220556107 (How to read Slack data exports); docs.slack.dev/reference/events/message "
        "(subtypes); parser hfaran/slack-export-viewer slackviewer/reader.py, message.py, formatter.py"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
    roles="bots answer (`bot_id`); otherwise by names",
    is_chat=True,
)
