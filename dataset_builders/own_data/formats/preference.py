"""Preference data for reward models, DPO and KTO: the better answer makes the dialogue, the worse one is metadata.

Unpaired preferences (`completion` with a `label`) keep the answer if it is good; a bad one becomes metadata, so that
the dialogue is the question alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats import sharegpt
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import is_message, messages_of
from dataset_builders.own_data.formats.shared.json_files import about, most_fit, read_records
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord

_SIDES = (("chosen", "rejected"), ("preferred_output", "non_preferred_output"))
_PROMPTS = ("prompt", "conversations", "messages", "question", "instruction", "query", "input")
_HH = re.compile(r"(?:\A|\n\n)(Human|Assistant):[ \t]*")


def recognises(probe: Probe) -> bool:
    """Whether the records have a better and a worse answer, or an answer with a truth value that judges it."""
    return most_fit(probe, _fits)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record."""
    return read_records(export, _fits, _conversations, "a prompt, and `chosen` and `rejected`")


def _fits(record: dict[str, Any]) -> bool:
    return any(_is_pair(record, *side) for side in _SIDES) or _is_judged(record) or _is_rejecting(record)


def _is_pair(record: dict[str, Any], better: str, worse: str) -> bool:
    return all(isinstance(record.get(side), str | list | dict) for side in (better, worse))


def _is_judged(record: dict[str, Any]) -> bool:
    if isinstance(record.get("kto_tag"), bool) and isinstance(record.get("conversations"), list):
        return True
    answer, verdict = _judged_keys(record)
    return isinstance(record.get(verdict), bool) and answer in record and any(key in record for key in _PROMPTS)


def _judged_keys(record: dict[str, Any]) -> tuple[str, str]:
    """Keys of an answer and of the truth value that judges it, as TRL or LLaMA-Factory name them."""
    return ("completion", "label") if isinstance(record.get("label"), bool) else ("output", "kto_tag")


def _is_rejecting(record: dict[str, Any]) -> bool:
    messages = record.get("messages")
    return isinstance(record.get("rejected_response"), str) and isinstance(messages, list) and bool(messages)


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    if _is_rejecting(record):
        yield _conversation(record, messages_of(record["messages"]), record["rejected_response"])
    elif _is_judged(record):
        answer, verdict = _judged_keys(record)
        messages = [*_prompt(record), *(_turns(record[answer]) if answer in record else [])]
        good, rejected = (messages, "") if record[verdict] else (messages[:-1], _last(messages))
        yield _conversation(record, good, rejected, answer, verdict)
    else:
        better, worse = next(side for side in _SIDES if _is_pair(record, *side))
        preferred = _turns(record[better])
        has_prompt = any(message.role == "user" for message in preferred)
        messages = preferred if has_prompt else [*_prompt(record), *preferred]
        if not any(message.role == "user" for message in messages):
            raise BadRecord(f"the answer in `{better}` has no question; expected one of {', '.join(_PROMPTS)}")
        yield _conversation(record, messages, _last(_turns(record[worse])), better, worse)


def _conversation(record: dict[str, Any], messages: list[Message], rejected: str, *used: str) -> Conversation:
    details = about(record, *_PROMPTS, *used, "rejected_response", "tools")
    if rejected:
        details["metadata"]["rejected"] = rejected
    return Conversation(messages, **details)


def _prompt(record: dict[str, Any]) -> list[Message]:
    """The messages before the answer."""
    key = next((key for key in _PROMPTS if record.get(key)), None)
    if key is None:
        return []
    value = record[key]
    if isinstance(value, dict):  # OpenAI: {"input": {"messages": [...]}}
        value = value.get("messages")
    if key == "instruction" and isinstance(value, str) and isinstance(more := record.get("input"), str) and more:
        value = f"{value}\n{more}"
    return _turns(value, "user")


def _turns(value: Any, role: str = "assistant") -> list[Message]:
    """The messages of a text, of a message, or of a list of messages.

    Args:
        value: The value.
        role: Role of a text without speakers.
    """
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list) and value and all(is_message(turn) for turn in value):
        return messages_of(value)
    if isinstance(value, list) and value and all(sharegpt.is_turn(turn) for turn in value):
        return sharegpt.conversation_of(value).messages
    if not isinstance(value, str):
        raise BadRecord("expected the prompt and the answers to be texts or lists of messages")
    parts = _HH.split(value)
    if len(parts) < 3 or parts[0].strip():
        return messages_of([{"role": role, "content": value}])
    speeches = zip(parts[1::2], parts[2::2], strict=True)
    turns = [{"role": "user" if name == "Human" else "assistant", "content": text.strip()} for name, text in speeches]
    return messages_of(turns if turns[-1]["content"] else turns[:-1])  # a prompt may end with "Assistant:"


def _last(messages: list[Message]) -> str:
    return next((message.text for message in reversed(messages) if message.kind == "text"), "")


FORMAT = Format(
    name="preference",
    title="preference data (HH-RLHF, TRL, OpenAI, LLaMA-Factory), JSON Lines or JSON",
    rows="dialogues",
    looks=(
        ("train.jsonl", '{"chosen": "\\n\\nHuman: ...\\n\\nAssistant: ...", "rejected": "\\n\\nHuman: ..."}'),
        ("dpo.jsonl", '{"prompt": "...", "chosen": "...", "rejected": "..."}'),
        ("dpo.jsonl", '{"prompt": [{"role": "user", ...}], "chosen": [{"role": "assistant", ...}], "rejected": [...]}'),
        ("dpo.jsonl", '{"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}'),
        ("kto.jsonl", '{"prompt": "...", "completion": "...", "label": true}'),
    ),
    checked=(
        "huggingface.co/docs/trl/dataset_formats; hiyouga/LLaMA-Factory data/README.md; anthropics/hh-rlhf README.md; "
        "docs.together.ai/docs/fine-tuning/data-preparation"
    ),
    recognises=recognises,
    read=read,
    roles="`role`, or Human and Assistant; the answers are the assistant's",
)
