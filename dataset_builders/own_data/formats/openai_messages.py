"""OpenAI: lines for fine-tuning (`messages` with tools, images, weights), and logged requests with their responses.

All `messages` or `conversations` whose roles are OpenAI's are read here, with or without a tool call; other roles are
left to the general reader, which gives the same rows for lists without calls and parts. A message with `weight` 0 is
part of the dialogue: the weight only says what a model is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats import anthropic_messages, preference
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import is_message, messages_of
from dataset_builders.own_data.formats.shared.json_files import about, most_fit, read_records
from dataset_builders.own_data.messages import Conversation, Item
from dataset_builders.own_data.probe import Probe


def recognises(probe: Probe) -> bool:
    """Whether the records have `messages` of OpenAI's roles, and are neither Anthropic's nor preference data."""
    others = (anthropic_messages.recognises, preference.recognises)
    return most_fit(probe, _fits) and not any(other(probe) for other in others)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "`messages`, a list of objects with `role` and `content`")


def _fits(record: dict[str, Any]) -> bool:
    messages = _turns(record)
    return isinstance(messages, list) and bool(messages) and is_message(messages[0])


def _turns(record: dict[str, Any]) -> Any:
    """The messages of a record, or of a logged request with the answer to it."""
    request = record.get("request")
    if not isinstance(request, dict):
        return record.get("messages") or record.get("conversations")
    messages, answer = _body(request).get("messages"), _answer(record.get("response"))
    return [*messages, answer] if isinstance(messages, list) and answer else messages


def _answer(response: Any) -> Any:
    choices = _body(response).get("choices") if isinstance(response, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("message") if isinstance(first, dict) else None


def _body(value: dict[str, Any]) -> dict[str, Any]:
    body = value.get("body")
    return body if isinstance(body, dict) else value


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    yield Conversation(
        messages_of(_turns(record)),
        **about(record, "messages", "conversations", "tools", "functions", "request", "response"),
    )


FORMAT = Format(
    name="openai-messages",
    title="OpenAI messages, JSON Lines or JSON",
    rows="dialogues",
    looks=(
        (
            "train.jsonl",
            '{"messages": [{"role": "system", "content": "..."}, {"role": "user", "content": "..."}, ...]}',
        ),
        ("train.jsonl", '{"messages": [..., {"role": "assistant", "tool_calls": [...]}], "tools": [...]}'),
        ("log.jsonl", '{"request": {"messages": [...]}, "response": {"choices": [{"message": {...}}]}}'),
    ),
    checked=(
        "docs.together.ai/docs/fine-tuning/data-preparation; hiyouga/LLaMA-Factory data/README.md; "
        "learn.microsoft.com/en-us/azure/ai-services/openai/how-to/fine-tuning-functions"
    ),
    recognises=recognises,
    read=read,
    roles="`role`: assistant answers; system and developer are prompts, tool and function are programs",
)
