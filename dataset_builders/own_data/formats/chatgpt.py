"""ChatGPT: Settings > Data controls > Export data; `conversations.json` (or `conversations-000.json`) in the zip.

A conversation is a tree, because questions are edited and answers regenerated. The dialogue is the path to
`current_node`, which the user saw last; without it, the path along the last child.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import shown
from dataset_builders.own_data.formats.shared.json_files import id_of, metadata, most_fit, read_records, text_or_none
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import Conversation, Item, Kind, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker
from dataset_builders.sources.raw_files import RawFile

_ROLES: dict[str, Speaker] = {"user": "user", "assistant": "system"}
_TEXTS = {"text", "multimodal_text"}
_PROMPTS = {"user_editable_context", "model_editable_context"}
_OTHERS = {
    *("user.json", "user_settings.json", "message_feedback.json", "model_comparisons.json"),
    *("shared_conversations.json", "shopping.json", "sora.json", "group_chats.json"),
}
_CITATION = re.compile("\ue200[^\ue201]*\ue201|【\\d+†[^】]*】")


def recognises(probe: Probe) -> bool:
    """Whether the records have a `mapping` of nodes with `message`, and `parent` or `children`."""
    return most_fit(probe, _fits)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "`mapping`, the nodes of a tree of messages")


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other files of the export: they hold settings and ratings, not conversations."""
    folder = PurePosixPath(file.name).parent
    return tuple(f for f in files if (path := PurePosixPath(f.name)).parent == folder and path.name in _OTHERS)


def _fits(record: dict[str, Any]) -> bool:
    mapping = record.get("mapping")
    if not isinstance(mapping, dict) or not mapping:
        return False
    first = as_dict(next(iter(mapping.values())))
    return "id" in first and ("parent" in first or "children" in first or "message" in first)


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    nodes = [node["message"] for node in _path(record) if isinstance(node.get("message"), dict)]
    messages = [message for node in nodes for message in _messages(node)]
    if all(message.kind in ("prompt", "notice") for message in messages):  # begun and left
        return
    yield Conversation(
        messages,
        id=id_of(record.get("conversation_id") or record.get("id")),
        scenario=text_or_none(record.get("title")),
        metadata=metadata(record, "default_model_slug", "gizmo_id", "is_archived", "is_starred", "conversation_origin"),
    )


def _path(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes from the root to the current node."""
    mapping: dict[str, Any] = record["mapping"]
    key = record.get("current_node")
    if not isinstance(key, str) or key not in mapping:
        key = _last_leaf(mapping)
    path: list[dict[str, Any]] = []
    while isinstance(key, str) and key in mapping:
        if len(path) == len(mapping):
            raise BadRecord("expected a tree of messages, and `parent` leads in a circle")
        path.append(as_dict(mapping[key]))
        key = path[-1].get("parent")
    return path[::-1]


def _last_leaf(mapping: dict[str, Any]) -> str:
    key = next(
        (key for key, node in mapping.items() if as_text(as_dict(node).get("parent")) not in mapping),
        next(iter(mapping)),
    )
    for _ in mapping:
        children = as_dict(mapping[key]).get("children")
        replies = [child for child in map(as_text, children) if child in mapping] if isinstance(children, list) else []
        if not replies:
            break
        key = replies[-1]
    return key


def _messages(message: dict[str, Any]) -> Iterator[Message]:
    """The messages of a node: its text, and the media beside it."""
    role, time = as_text(as_dict(message.get("author")).get("role")), seconds(message.get("create_time"))
    kind = _kind(message, role)
    text, media = _content(as_dict(message.get("content")))
    if text or (kind == "text" and not media):
        yield Message(role, text, time, role=_ROLES.get(role), kind=kind)
    for _ in range(media):
        yield Message(role, "", time, role=_ROLES.get(role), kind="media")


def _kind(message: dict[str, Any], role: str) -> Kind:
    content_type = as_text(as_dict(message.get("content")).get("content_type"))
    if role == "system" or content_type in _PROMPTS:
        return "prompt"
    is_for_all = message.get("recipient", "all") in ("all", None)
    if role not in _ROLES or content_type not in _TEXTS or not is_for_all:
        return "tool"
    is_hidden = as_dict(message.get("metadata")).get("is_visually_hidden_from_conversation") is True
    return "notice" if is_hidden or message.get("weight") == 0 else "text"


def _content(content: dict[str, Any]) -> tuple[str, int]:
    """The text of a content, and the number of pictures, files and recordings in it."""
    parts = content.get("parts")
    if isinstance(parts, list):
        texts = [part if isinstance(part, str) else as_text(part.get("text")) for part in parts if _is_text(part)]
        media = sum(isinstance(part, dict) and not _is_text(part) for part in parts)
        return _CITATION.sub("", "\n".join(filter(None, texts))).strip(), media
    if content.get("content_type") == "user_editable_context":  # the rest is about the person
        return as_text(content.get("user_instructions")), 0
    thoughts = [as_text(thought.get("content")) for thought in dicts(content.get("thoughts"))]
    values = (content.get(key) for key in ("text", "result", "content", "model_set_context"))
    return "\n".join(filter(None, [*(shown(value) for value in values if value), *thoughts])), 0


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))


FORMAT = Format(
    name="chatgpt",
    title="ChatGPT data export, conversations.json",
    rows="dialogues",
    looks=(
        ("conversations.json", '[{"title": "...", "mapping": {"...": {"message": {...}, "parent": "...", ...}}, ...}]'),
        ("conversation.json", '{"title": "...", "mapping": {...}, "current_node": "..."}'),
    ),
    checked=(
        "mitkury/chatgpt-export-parser docs/chatgpt-data-export-format.md; josephjohncox/chatgpt-json-to-md README.md; "
        "contents of real exports as public parsers describe them"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
    roles="`author.role`: assistant answers",
)
