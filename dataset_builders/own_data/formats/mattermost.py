"""Mattermost: bulk export (`mmctl export create`, `mattermost export bulk`), JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.plain.json_records import read_lines
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds

_POSTS = ("post", "direct_post")
_TYPES = {
    *("version", "scheme", "role", "emoji", "team", "channel", "user", "bot", "post", "direct_channel", "direct_post"),
}


def recognises(probe: Probe) -> bool:
    """Whether the first line names the version, and the others are objects named after their `type`."""
    records = probe.records
    if len(records) < 2 or not all(isinstance(r, dict) and r.get("type") in _TYPES for r in records if _is_typed(r)):
        return False
    first, *others = records
    return _is_typed(first) and first["type"] == "version" and all(_is_typed(r) and r["type"] in r for r in others)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each message with replies, and one for the rest of each channel."""
    channels: dict[str, Conversation] = {}
    bots: set[str] = set()
    for line, record in read_lines(export.file, export.encoding):
        kind = record.get("type") if isinstance(record, dict) else None
        content = record.get(kind) if isinstance(record, dict) and isinstance(kind, str) else None
        if kind == "version":
            continue
        if not isinstance(content, dict):
            yield bad_item("an object named after its `type`", record, line)
        elif kind == "bot":
            bots.add(str(content.get("username")))
        elif kind in _POSTS:
            members, name = content.get("channel_members"), str(content.get("channel") or "")
            place = (
                f"{content.get('team')}/{name}"
                if name
                else " ".join(map(str, members if isinstance(members, list) else ()))
            )
            metadata = {"channel": name} if name else {}
            first = _message(content, bots)
            replies = content.get("replies")
            if isinstance(replies, list) and replies:
                messages = [first, *(_message(reply, bots) for reply in replies if isinstance(reply, dict))]
                yield Conversation(messages, line=line, metadata=metadata)
                continue
            if place not in channels:
                channels[place] = Conversation([], line=line, is_chat=True, metadata=metadata)
            channels[place].messages.append(first)
    yield from channels.values()


def _is_typed(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("type"), str)


def _message(post: dict[str, Any], bots: set[str]) -> Message:
    speaker, text = str(post.get("user") or ""), str(post.get("message") or "")
    message = Message(speaker, text, seconds(post.get("create_at")))
    props = post.get("props")
    is_bot = isinstance(props, dict) and "true" in (str(props.get(key)).lower() for key in ("from_bot", "from_webhook"))
    if is_bot or speaker in bots:
        message.role = "system"
    if str(post.get("type") or "").startswith("system_"):
        message.kind = "notice"
    elif not text.strip():
        message.kind = "media"
    return message


FORMAT = Format(
    name="mattermost",
    title="Mattermost bulk export, JSON Lines",
    rows="dialogues",
    looks=(
        ("export.jsonl", '{"type": "version", "version": 1}'),
        ("export.jsonl", '{"type": "post", "post": {"team": ..., "channel": ..., "user": ..., "message": ..., ...}}'),
    ),
    checked=(
        "docs.mattermost.com/onboard/bulk-loading-data-format.html; writer mattermost/mattermost "
        "server/channels/app/imports/import_types.go"
    ),
    recognises=recognises,
    read=read,
    roles="bots and webhooks answer; otherwise by names",
    is_chat=True,
)
