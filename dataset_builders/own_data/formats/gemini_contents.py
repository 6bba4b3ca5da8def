"""Gemini: `contents` of the API, as logged, batched or written for tuning; and prompts saved by Google AI Studio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import shown
from dataset_builders.own_data.formats.shared.json_files import about, most_fit, read_records
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_ROLES: dict[str, Speaker | None] = {"user": "user", "model": "system", "function": None, "tool": None}
_TOOLS = ("functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall")
_PROMPTS = ("systemInstruction", "system_instruction")
_USED = ("contents", *_PROMPTS, "request", "response", "tools", "chunkedPrompt", "runSettings", "generationConfig")


def recognises(probe: Probe) -> bool:
    """Whether the records have `contents` of `parts`, in a `request` or on their own, or a prompt of chunks."""
    return most_fit(probe, _fits)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "`contents`, a list of objects with `role` and `parts`")


def _fits(record: dict[str, Any]) -> bool:
    if _chunks(record) is not None:
        return True
    contents = _request(record).get("contents")
    return isinstance(contents, list) and bool(contents) and isinstance(as_dict(contents[0]).get("parts"), list)


def _chunks(record: dict[str, Any]) -> list[Any] | None:
    """The chunks of a prompt of AI Studio; None if it is none."""
    chunks = as_dict(record.get("chunkedPrompt")).get("chunks")
    return chunks if isinstance(chunks, list) else None


def _request(record: dict[str, Any]) -> dict[str, Any]:
    return record["request"] if isinstance(record.get("request"), dict) else record


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    chunks = _chunks(record)
    contents = [_content_of_chunk(chunk) for chunk in dicts(chunks)]
    if chunks is None:
        contents = list(_request(record)["contents"])
        contents += [candidate["content"] for candidate in _candidates(record)[:1] if "content" in candidate]
    messages = [message for content in contents for message in _messages(content)]
    yield Conversation([*_prompts(_request(record)), *messages], **about(record, *_USED))


def _candidates(record: dict[str, Any]) -> list[dict[str, Any]]:
    return dicts(as_dict(record.get("response")).get("candidates"))


def _prompts(request: dict[str, Any]) -> Iterator[Message]:
    value = next((request[key] for key in _PROMPTS if key in request), None)
    parts = value.get("parts") if isinstance(value, dict) else value
    texts = [as_text(part.get("text")) for part in dicts(parts if isinstance(parts, list) else [parts])]
    text = value if isinstance(value, str) else "\n".join(filter(None, texts))
    if text:
        yield Message("system", text, kind="prompt")


def _content_of_chunk(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk of AI Studio as a content with one part."""
    part = {**chunk, "thought": chunk.get("isThought", False)}
    return {"role": chunk.get("role"), "parts": [part], "time": chunk.get("createTime")}


def _messages(content: Any) -> Iterator[Message]:
    role, parts = as_text(as_dict(content).get("role", "user")), as_dict(content).get("parts")
    if role not in _ROLES or not isinstance(parts, list):
        raise BadRecord("expected a content with a `role` of user, model or function, and `parts`")
    speaks, time = _ROLES.get(role), seconds(content.get("time"))
    texts = [as_text(part.get("text")) for part in dicts(parts) if _has_text(part) and not part.get("thought")]
    others = [part for part in dicts(parts) if not _has_text(part) or part.get("thought")]
    if texts or not others:
        yield Message(role, "".join(texts), time, speaks, kind="text" if speaks else "tool")
    for part in others:
        is_tool = bool(part.get("thought")) or any(_camel(key) in _TOOLS for key in part if part[key])
        text = shown(part.get("text") or part) if is_tool else ""
        yield Message(role, text, time, kind="tool" if is_tool else "media")


def _has_text(part: dict[str, Any]) -> bool:
    return isinstance(part.get("text"), str)


def _camel(key: str) -> str:
    """A key of the Python library as the API spells it: `function_call` -> `functionCall`."""
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


FORMAT = Format(
    name="gemini-contents",
    title="Gemini contents and Google AI Studio, JSON Lines or JSON",
    rows="dialogues",
    looks=(
        (
            "tuning.jsonl",
            '{"systemInstruction": {"parts": [...]}, "contents": [{"role": "user", "parts": [...]}, ...]}',
        ),
        ("batch.jsonl", '{"key": "1", "request": {"contents": [...]}, "response": {"candidates": [{"content": ...}]}}'),
        (
            "My prompt.json",
            '{"runSettings": {...}, "chunkedPrompt": {"chunks": [{"text": "...", "role": "user"}, ...]}}',
        ),
    ),
    checked=(
        "cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-about; "
        "ai.google.dev/gemini-api/docs/batch-mode; prompts of AI Studio in public repositories and parsers of them"
    ),
    recognises=recognises,
    read=read,
    roles="`role`: model answers; function is a program",
)
