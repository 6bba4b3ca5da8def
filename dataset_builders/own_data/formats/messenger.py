"""Facebook Messenger and Instagram: "Download your information", JSON, `messages/inbox/<thread>/message_1.json`.

Messages of encrypted chats ("Download secure storage data") are in a form of their own.
"""

from __future__ import annotations

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

_NOTICES = ("Subscribe", "Unsubscribe", "Call")
# what the program writes in the name of the sender
_NOTICE = re.compile(r"Liked a message|Reacted \S{1,12} to your message ?|User unsent a message")
_ATTACHMENT = re.compile(r".{1,60} sent an attachment\.?")


def recognises(probe: Probe) -> bool:
    """Whether it is a thread: participants, and messages with a sender and a time in milliseconds."""
    thread = probe.json
    if not isinstance(thread, dict) or not isinstance(thread.get("participants"), list):
        return False
    messages = thread.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, dict):
        return False
    if _is_encrypted(thread):
        return {"senderName", "timestamp"} <= first.keys() and ("isUnsent" in first or "media" in first)
    return {"sender_name", "timestamp_ms"} <= first.keys()


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other parts of the thread: a file holds at most 10,000 messages, `message_1.json` the newest."""
    place = PurePosixPath(file.name)
    if not place.name.startswith("message_"):
        return ()
    parts = (f for f in files if f != file and PurePosixPath(f.name).parent == place.parent)
    return tuple(f for f in parts if PurePosixPath(f.name).match("message_*.json"))


def read(export: Export) -> Iterator[Item]:
    """One conversation: the thread."""
    chat = Conversation([], line=1, is_chat=True)
    for file in (export.file, *export.companions):
        try:
            thread = export.json(file)
        except BadRecord as error:
            yield BadItem(f"{file.name}: {error}")
            continue
        messages = thread.get("messages") if isinstance(thread, dict) else None
        if not isinstance(messages, list):
            yield BadItem("expected a thread with `participants` and `messages`", thread)
            continue
        chat.id = chat.id or PurePosixPath(_repaired(thread.get("thread_path"))).name.rpartition("_")[2]
        for record in messages if _is_encrypted(thread) else reversed(messages):  # the newest is the first
            if isinstance(record, dict):
                chat.messages.append(_encrypted(record) if _is_encrypted(thread) else _message(record))
            else:
                yield BadItem("expected a message with `sender_name` and `timestamp_ms`", record)
    chat.messages.sort(key=lambda message: message.time or 0.0)
    yield chat


def _is_encrypted(thread: dict[str, Any]) -> bool:
    return "threadName" in thread


def _message(record: dict[str, Any]) -> Message:
    message = Message(_repaired(record.get("sender_name")), _repaired(record.get("content")))
    message.time = seconds(record.get("timestamp_ms"))
    share = record.get("share")
    if not message.text and isinstance(share, dict):
        message.text = _repaired(share.get("share_text"))
    is_event = record.get("type") in _NOTICES or "call_duration" in record or bool(record.get("users"))
    if is_event or record.get("is_unsent") is True or _NOTICE.fullmatch(message.text):
        message.kind = "notice"
    elif not message.text.strip() or ("share" in record and _ATTACHMENT.fullmatch(message.text)):
        message.kind = "media"
    return message


def _encrypted(record: dict[str, Any]) -> Message:
    text, kind = str(record.get("text") or ""), record.get("type")
    message = Message(str(record.get("senderName") or ""), text, seconds(record.get("timestamp")))
    if kind == "placeholder" or record.get("isUnsent") is True or _NOTICE.fullmatch(text):
        message.kind = "notice"
    elif not text.strip():
        message.kind = "media"
    return message


def _repaired(value: Any) -> str:
    r"""A text whose UTF-8 bytes the export writes as characters: `\u00c3\u00bc` is "ü"."""
    text = str(value or "")
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


FORMAT = Format(
    name="messenger",
    title="Facebook Messenger and Instagram, JSON",
    rows="dialogues",
    looks=(
        (
            "messages/inbox/anna_1/message_1.json",
            '{"participants": [{"name": "Anna"}], "messages": [{"sender_name": "Anna", "timestamp_ms": 1769860800000, '
            '"content": "..."}], "thread_path": "inbox/anna_1"}',
        ),
        (
            "Anna_1.json",
            '{"participants": ["Anna", "Ben"], "threadName": "Anna_1", "messages": [{"senderName": "Anna", ...}]}',
        ),
    ),
    checked=(
        "parsers joweich/chat-miner chatminer/chatparsers.py, mlomb/chat-analytics Messenger.d.ts, "
        "kami-sqmf/insta-message-analyzer src/instagram.d.ts"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
    is_chat=True,
)
