"""Anthropic's Messages API, and Amazon Bedrock's Converse: `messages` of typed parts, `system` beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import is_message, messages_of, parts_of
from dataset_builders.own_data.formats.shared.json_files import about, first_records, read_records
from dataset_builders.own_data.formats.shared.json_values import as_text
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe

_TYPES = {"tool_use", "tool_result", "server_tool_use", "web_search_tool_result", "thinking", "redacted_thinking"}
_MEDIA = {"image", "document"}


def recognises(probe: Probe) -> bool:
    """Whether one of the first records has parts that only these interfaces have, or a list of texts as `system`.

    Records with plain texts are the same in OpenAI's format.
    """
    return any(isinstance(record, dict) and _fits(record) and _is_own(record) for record in first_records(probe, _fits))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "`messages`, a list of objects with `role` and `content`")


def _fits(record: dict[str, Any]) -> bool:
    messages = record.get("messages")
    return isinstance(messages, list) and bool(messages) and is_message(messages[0])


def _is_own(record: dict[str, Any]) -> bool:
    if isinstance(record.get("system"), list):
        return True
    contents = [m.get("content") for m in record["messages"] if isinstance(m, dict)]
    return any(_is_own_part(part) for content in contents if isinstance(content, list) for part in content)


def _is_own_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    kind = as_text(part.get("type"))
    return kind in _TYPES or bool(
        (kind in _MEDIA and part.get("source")) or part.get("toolUse") or part.get("toolResult")
    )


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    system = record.get("system")
    prompts = [text for kind, text in parts_of(system if isinstance(system, str | list) else None) if kind == "text"]
    messages = [Message("system", prompt, kind="prompt") for prompt in prompts]
    yield Conversation([*messages, *messages_of(record["messages"])], **about(record, "messages", "system", "tools"))


FORMAT = Format(
    name="anthropic-messages",
    title="Anthropic messages and Bedrock Converse, JSON Lines or JSON",
    rows="dialogues",
    looks=(
        (
            "log.jsonl",
            '{"system": "...", "messages": [{"role": "assistant", "content": [{"type": "tool_use", ...}]}, ...]}',
        ),
        ("train.jsonl", '{"system": [{"text": "..."}], "messages": [{"role": "user", "content": [{"text": "..."}]}]}'),
    ),
    checked=(
        "hexdocs.pm/anthropic_gleam anthropic/types/message; docs.rs/crate/llm-content-blocks; "
        "docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock; public examples of "
        "bedrock-conversation-2024"
    ),
    recognises=recognises,
    read=read,
    roles="`role`: assistant answers",
)
