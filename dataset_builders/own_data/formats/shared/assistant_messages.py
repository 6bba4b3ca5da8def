"""Messages of AI assistants: their roles, and their content of texts, media, tool calls and results."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.own_data.formats.shared.json_values import dicts
from dataset_builders.own_data.messages import Kind, Message
from dataset_builders.own_data.plain.names import TIME, plain
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns import speakers
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

ROLES = frozenset({"user", "assistant", "system", "developer", "tool", "function", "ipython"})
"""Roles of messages, as the interfaces of OpenAI, Anthropic and their imitators name them."""

_PROGRAMS = {"ipython": "tool"}
_TEXTS = {"text", "input_text", "output_text"}
_THOUGHTS = {"thinking", "redacted_thinking", "reasoning", "thought"}
_TOOLS = ("tool_use", "tool_result", "tool_call", "function_call", "toolUse", "toolResult")


def is_message(value: Any) -> bool:
    """Whether a value is a message with a role of `ROLES` and a content or a call."""
    if not isinstance(value, dict) or not isinstance(role := value.get("role"), str):
        return False
    return role in ROLES and ("content" in value or "tool_calls" in value or "function_call" in value)


def messages_of(turns: Iterable[Any]) -> list[Message]:
    """The messages of a list of objects with `role` and `content`.

    Raises:
        BadRecord: A turn is not such an object.
    """
    checked = list(turns)
    for number, turn in enumerate(checked, start=1):
        if not is_message(turn):
            raise BadRecord(f"expected turn {number} to have a `role` of {', '.join(sorted(ROLES))}, and `content`")
    names = [_PROGRAMS.get(turn["role"], turn["role"]) for turn in checked]
    messages: list[Message] = []
    for turn, name, role in zip(checked, names, speakers.assign(names, prompt_first=True), strict=True):
        content = turn.get("content")
        if len(turn) == 2 and isinstance(content, str):  # nearly all turns
            messages.append(_said(role, name, content))
        else:
            messages += _messages_of_turn(turn, name, role)
    return messages


def _messages_of_turn(turn: dict[str, Any], name: str, role: speakers.Role) -> Iterator[Message]:
    time_key = _time_key(tuple(turn))
    time = turn[time_key] if time_key is not None else None
    content, calls = turn.get("content") or turn.get("refusal"), turn.get("tool_calls") or turn.get("function_call")
    if content or not calls:
        yield from role_messages(role, content, name, time)
    if thought := turn.get("reasoning_content"):
        yield Message(name, shown(thought), seconds(time), kind="tool")
    if calls:
        text = "\n".join(shown(call) for call in (calls if isinstance(calls, list) else [calls]) if call)
        yield Message(name, text, seconds(time), kind="tool")


@functools.lru_cache(maxsize=1024)
def _time_key(keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if plain(key) in TIME), None)


def role_messages(role: speakers.Role, content: Any, speaker: str, time: Any = None) -> list[Message]:
    """The messages of one turn: its text, and the media, thoughts and calls beside it.

    Args:
        role: Role of the turn.
        content: A text, None, or a list of parts with `type`.
        speaker: Name of the speaker.
        time: Time of the turn, in any form that `times.seconds` takes.
    """
    when = seconds(time) if time is not None else None
    if isinstance(content, str):
        return [_said(role, speaker, content, when)]
    parts = list(parts_of(content))
    is_cited = any(part.get("citations") for part in dicts(content))
    between = "" if is_cited else "\n"  # a text with citations is one text in several parts
    text = between.join(text for kind, text in parts if kind == "text")
    beside = [(kind, part) for kind, part in parts if kind != "text"]
    side: Speaker | None = role if role == "user" or role == "system" else None
    spoken = [_said(role, speaker, text, when)] if text or not beside else []
    return [*spoken, *(Message(speaker, part, when, side, kind) for kind, part in beside)]


def _said(role: speakers.Role, speaker: str, text: str, time: float | None = None) -> Message:
    """The message of a text."""
    if role == "user" or role == "system":
        return Message(speaker, text, time, role)
    return Message(speaker, text, time, kind=role)


def parts_of(content: Any) -> Iterator[tuple[Kind, str]]:
    """The parts of a content: what each is, and its text.

    Raises:
        BadRecord: The content is neither a text nor a list of parts.
    """
    if content is None:
        return
    if not isinstance(content, list):
        if isinstance(content, dict) and isinstance(content.get("text"), str):
            content = content["text"]
        if not isinstance(content, str | int | float) or isinstance(content, bool):
            raise BadRecord("expected the content to be a text or a list of parts")
        yield "text", str(content)
        return
    for part in content:
        if isinstance(part, str):
            yield "text", part
        elif isinstance(part, dict):
            yield _part(part)
        elif part is not None:
            raise BadRecord("expected a part of the content to be an object or a text")


def _part(part: dict[str, Any]) -> tuple[Kind, str]:
    kind = part.get("type")
    kind = kind if isinstance(kind, str) else next((key for key in _TOOLS if part.get(key)), "")
    text = part.get("text")
    if kind in _THOUGHTS:
        return "tool", shown(part.get("thinking") or text or "")
    if any(name in kind for name in _TOOLS):
        return "tool", shown(part)
    if kind == "refusal":
        return "text", shown(part.get("refusal") or "")
    if kind in _TEXTS or isinstance(text, str):
        return "text", text if isinstance(text, str) else ""
    return "media", ""


def shown(value: Any) -> str:
    """A value as a text: itself if it is one, else JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
