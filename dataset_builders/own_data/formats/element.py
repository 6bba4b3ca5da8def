"""Element (Matrix): "Room info", "Export chat", format JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds

_SPOKEN = ("m.text", "m.emote", "m.notice")
_POLLS = ("m.poll.start", "org.matrix.msc3381.poll.start")
_QUOTE = re.compile(r"(?:> .*\n|>\n)+\n?")


def recognises(probe: Probe) -> bool:
    """Whether it is an object with `room_name`, `room_creator`, `export_date` and Matrix events."""
    export = probe.json
    if not isinstance(export, dict) or not {"room_name", "room_creator", "export_date"} <= export.keys():
        return False
    events = export.get("messages")
    return isinstance(events, list) and any(isinstance(e, dict) and "origin_server_ts" in e for e in events[:10])


def read(export: Export) -> Iterator[Item]:
    """A conversation for each thread, and one for the rest of the room."""
    conversations: dict[str, Conversation] = {}
    messages: dict[str, Message] = {}
    room = ""
    for line, event in export.items("messages"):
        if not isinstance(event, dict) or not isinstance(event.get("content"), dict):
            yield BadItem("expected a Matrix event with `type`, `sender` and `content`", event, line)
            continue
        room = room or str(event.get("room_id") or "")
        content, relation = event["content"], event["content"].get("m.relates_to")
        relation = relation if isinstance(relation, dict) else {}
        target = str(relation.get("event_id") or "")
        if relation.get("rel_type") == "m.replace" and target in messages:
            new = content.get("m.new_content")
            messages[target].text = str(new.get("body") or "") if isinstance(new, dict) else messages[target].text
            continue
        thread = target if relation.get("rel_type") == "m.thread" else ""
        if thread not in conversations:
            name = f"{room}/{thread}" if thread else room
            conversations[thread] = Conversation([], id=name, line=line, is_chat=not thread)
            if thread in messages:  # the first message of a thread came before it was one
                conversations[thread].messages.append(messages[thread])
                conversations[""].messages = [m for m in conversations[""].messages if m is not messages[thread]]
        message = messages[str(event.get("event_id"))] = _message(event, content, relation)
        conversations[thread].messages.append(message)
    yield from (conversation for conversation in conversations.values() if conversation.messages)


def _message(event: dict[str, Any], content: dict[str, Any], relation: dict[str, Any]) -> Message:
    message = Message(str(event.get("sender") or ""), str(content.get("body") or ""))
    message.time = seconds(event.get("origin_server_ts"))
    if event.get("type") in _POLLS:
        poll = content.get(event["type"])
        question = poll.get("question") if isinstance(poll, dict) else None
        message.text = str((question.get("body") if isinstance(question, dict) else "") or message.text)
        message.kind = "media"
    elif event.get("type") == "m.sticker":
        message.kind = "media"
    elif event.get("type") != "m.room.message" or not content:
        message.kind = "notice"
    elif content.get("msgtype") not in _SPOKEN or not message.text.strip():
        message.kind = "media"
    elif "m.in_reply_to" in relation:  # older programs repeat what they answer
        message.text = _QUOTE.sub("", message.text, count=1) if message.text.startswith("> ") else message.text
    if content.get("msgtype") == "m.notice":  # only bots send these
        message.role = "system"
    return message


FORMAT = Format(
    name="element",
    title="Element (Matrix), JSON",
    rows="dialogues",
    looks=(
        (
            "matrix - room - Chat Export - 2026-01-31.json",
            '{"room_name": ..., "room_creator": ..., "export_date": ..., "messages": [{"type": "m.room.message", '
            '"sender": "@anna:example.org", "content": {"msgtype": "m.text", "body": ...}, "origin_server_ts": ...}]}',
        ),
    ),
    checked=(
        "writer element-hq/element-web src/utils/exportUtils/JSONExport.ts; "
        "spec.matrix.org/latest/client-server-api (m.room.message, m.replace, m.thread, reply fallbacks)"
    ),
    recognises=recognises,
    read=read,
    roles="bots answer (`m.notice`); otherwise by names",
    is_chat=True,
)
