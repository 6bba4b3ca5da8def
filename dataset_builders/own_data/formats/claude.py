"""Claude: Settings > Privacy > Export data; `conversations.json` in the zip.

Questions are edited and answers regenerated: where messages name their parents, the dialogue is the path to the
newest message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import role_messages
from dataset_builders.own_data.formats.shared.json_files import id_of, metadata, most_fit, read_records, text_or_none
from dataset_builders.own_data.formats.shared.json_values import as_text, dicts
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns import speakers
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.sources.raw_files import RawFile

_ROLES: dict[str, speakers.Role] = {"human": "user", "user": "user", "assistant": "system"}
_OTHERS = {"users.json", "projects.json", "memories.json"}


def recognises(probe: Probe) -> bool:
    """Whether the records have a `uuid` and `chat_messages`."""
    return most_fit(probe, _fits)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "`uuid` and `chat_messages`")


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other files of the export: they hold accounts and projects, not conversations."""
    folder = PurePosixPath(file.name).parent
    return tuple(f for f in files if (path := PurePosixPath(f.name)).parent == folder and path.name in _OTHERS)


def _fits(record: dict[str, Any]) -> bool:
    return "uuid" in record and isinstance(record.get("chat_messages"), list)


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    if not record["chat_messages"]:  # begun and left, or all its messages were deleted
        return
    yield Conversation(
        [message for turn in _path(dicts(record["chat_messages"])) for message in _messages(turn)],
        id=id_of(record["uuid"]),
        scenario=text_or_none(record.get("name")),
        metadata=metadata(record, "model", "is_starred"),
    )


def _path(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages from the first one to the newest one; all, if they name no parents."""
    by_id = {turn.get("uuid"): turn for turn in turns if isinstance(turn.get("uuid"), str)}
    if not any(as_text(turn.get("parent_message_uuid")) in by_id for turn in turns):
        return turns
    turn = max(turns, key=lambda turn: seconds(turn.get("created_at")) or 0.0)
    path = [turn]
    while (parent := as_text(path[-1].get("parent_message_uuid"))) in by_id:
        if len(path) == len(turns):
            raise BadRecord("expected a tree of messages, and `parent_message_uuid` leads in a circle")
        path.append(by_id[parent])
    return path[::-1]


def _messages(turn: dict[str, Any]) -> list[Message]:
    sender, time = as_text(turn.get("sender")), turn.get("created_at")
    if sender not in _ROLES:
        raise BadRecord(f"expected the `sender` to be human or assistant, not {sender!r}")
    content = turn.get("content")
    # `text` shows tools as blocks that "are not supported", `content` has them as parts
    has_text = any(part.get("type") == "text" for part in dicts(content))
    messages = role_messages(
        _ROLES[sender], content if has_text or not turn.get("text") else turn["text"], sender, time
    )
    files = [*dicts(turn.get("attachments")), *dicts(turn.get("files"))]
    texts = [as_text(file.get("extracted_content")) or as_text(file.get("file_name")) for file in files]
    return [*messages, *(Message(sender, text, seconds(time), kind="media") for text in texts)]


FORMAT = Format(
    name="claude",
    title="Claude data export, conversations.json",
    rows="dialogues",
    looks=(
        ("conversations.json", '[{"uuid": "...", "name": "...", "chat_messages": [{"sender": "human", ...}, ...]}]'),
        ("conversation.json", '{"uuid": "...", "name": "...", "chat_messages": [{"sender": "human", ...}, ...]}'),
    ),
    checked=(
        "withLinda/claude-conversation-exporter claude_export_script.js; Sinity/polylogue docs/providers/claude-ai.md; "
        "keys of real exports as public parsers describe them"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
    roles="`sender`: assistant answers",
)
