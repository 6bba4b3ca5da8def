"""ShareGPT: `conversations` of `from` and `value`, as FastChat, LLaVA and LLaMA-Factory read them.

All records whose speakers are ShareGPT's are read here; other speakers are left to the general reader, which gives
the same rows for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import role_messages
from dataset_builders.own_data.formats.shared.json_files import about, most_fit, read_records
from dataset_builders.own_data.messages import Conversation, Item
from dataset_builders.own_data.plain.names import plain
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns import speakers

_ASSISTANTS = {"gpt", "assistant", "chatgpt", "bing", "bard", "model", "claude"}
_TOOLS = {*speakers.TOOL, "function_response", "tools"}
_SPEAKERS = {"human", "user", *_ASSISTANTS, *speakers.PROMPT, *_TOOLS}


def recognises(probe: Probe) -> bool:
    """Whether the records have `conversations` of ShareGPT's speakers."""
    return most_fit(probe, _is_own)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "`conversations`, a list of objects with `from` and `value`")


def is_turn(value: Any) -> bool:
    """Whether a value is a turn of one of ShareGPT's speakers."""
    return isinstance(value, dict) and "value" in value and plain(str(value.get("from"))) in _SPEAKERS


def conversation_of(turns: list[Any], **details: Any) -> Conversation:
    """The conversation of a list of turns.

    Args:
        turns: The turns.
        details: Other arguments of `Conversation`.

    Raises:
        BadRecord: A turn has no speaker of ShareGPT's, or no text.
    """
    for number, turn in enumerate(turns, start=1):
        if not is_turn(turn):
            raise BadRecord(f"expected turn {number} to have `from` (human, gpt, system or a tool) and `value`")
    names = [_name(str(turn["from"])) for turn in turns]
    roles = zip(speakers.assign(names, prompt_first=True), names, turns, strict=True)
    messages = [message for role, name, turn in roles for message in role_messages(role, turn["value"], name)]
    return Conversation(messages, **details)


def _fits(record: dict[str, Any]) -> bool:
    turns = record.get("conversations")
    return isinstance(turns, list) and bool(turns) and is_turn(turns[0])


def _is_own(record: dict[str, Any]) -> bool:
    is_preference = not record.keys().isdisjoint({"chosen", "rejected", "kto_tag"})
    return not is_preference and _fits(record) and all(is_turn(turn) for turn in record["conversations"][:2])


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    yield conversation_of(record["conversations"], **about(record, "conversations", "tools"))


def _name(speaker: str) -> str:
    name = plain(speaker)
    return "gpt" if name in _ASSISTANTS else "tool" if name in _TOOLS else name


FORMAT = Format(
    name="sharegpt",
    title="ShareGPT, JSON or JSON Lines",
    rows="dialogues",
    looks=(
        (
            "sharegpt.json",
            '[{"id": "...", "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", ...}]}]',
        ),
        ("tools.json", '[{"conversations": [..., {"from": "function_call", ...}, {"from": "observation", ...}]}]'),
        ("llava.json", '[{"image": "1.jpg", "conversations": [{"from": "human", "value": "<image>\\n..."}, ...]}]'),
    ),
    checked="hiyouga/LLaMA-Factory data/README.md; haotian-liu/LLaVA docs/Finetune_Custom_Data.md",
    recognises=recognises,
    read=read,
    roles="`from`: gpt answers; function_call, observation and tool are programs",
)
