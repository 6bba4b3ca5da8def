"""Dialogues that a chat template has made one text: ChatML, Llama 2 and 3, Zephyr, Gemma, Vicuna and others.

The text is a key of JSON records (`text`), or a text file. In a file, a dialogue begins with a system block, at a line
that begins with `<s>`, `[INST]` or `<|begin_of_text|>`, after a text's end, and where the user speaks again after a
blank line; with Vicuna's and Alpaca's words each line is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.assistant_messages import messages_of
from dataset_builders.own_data.formats.shared.json_files import about, most_fit, read_records
from dataset_builders.own_data.formats.shared.json_values import as_text
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.plain.names import ANSWER, TURNS, plain
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord

_TEXTS = ("text", "content", "conversation", "formatted_text", "formatted", "prompt", "sample", "chat")
_OTHERS = {*ANSWER, *TURNS, "chosen", "rejected"} - {"conversation", "chat", "a"}
_ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "instruction", "[inst]"), "user"),
    **dict.fromkeys(("assistant", "model", "gpt", "response", "[/inst]"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "ipython", "function", "observation"), "tool"),
}
_TABLES = (".csv", ".tsv", ".tab")
_SYSTEM = re.compile(r"<<SYS>>\s*(.*?)\s*<</SYS>>", re.DOTALL)
_END = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|eot|end|end_of_text|endoftext|begin_of_text)\|>|<end_of_turn>|<bos>|<eos>|</?s>|###\s*\Z"
)
_FIRST = re.compile(r"\s*(?:<s>|<bos>|\[INST\]|<\|begin_of_text\|>|<\|endoftext\|>)")
_LAST = re.compile(r"(?:<\|endoftext\|>|<\|end_of_text\|>)\s*\Z")


@dataclass(frozen=True)
class _Template:
    """How a template begins a turn; its first group is the role."""

    start: re.Pattern[str]
    one_line: bool = False

    def roles(self, text: str) -> list[str]:
        """The roles of the turns of a text, in our words; empty ones are unknown."""
        return [_ROLES.get(match[1].lower(), "") for match in self.start.finditer(text)]


_TEMPLATES = (
    _Template(re.compile(r"<\|im_start\|>\s*(\w+)(?: name=[\w-]+)?\s*")),
    _Template(re.compile(r"<\|(?:start_header_id|header_start)\|>\s*(\w+)\s*<\|(?:end_header_id|header_end)\|>\s*")),
    _Template(re.compile(r"<start_of_turn>\s*(\w+)\s*")),
    _Template(re.compile(r"(\[/?INST\])\s*")),
    _Template(re.compile(r"<\|(system|user|assistant|prompter|tool|observation)\|>\s*")),
    _Template(re.compile(r"(?:^|(?<=[\s>]))(USER|ASSISTANT):\s*"), one_line=True),
    _Template(re.compile(r"(?<!#)#{2,3} ?(Human|Assistant|Instruction|Response|System): ?"), one_line=True),
)


def recognises(probe: Probe) -> bool:
    """Whether the records, or the file, hold texts with turns of a user and an assistant in one template."""
    if probe.records:
        return most_fit(probe, lambda record: _key(record) is not None)
    template = _template(probe.text)
    lines = [line for line in probe.lines[:200] if line.strip()]
    if template is None or not lines or probe.extension in _TABLES:
        return False
    if template.one_line:  # with a turn on each line, the general reader knows these words
        return 2 * sum(len(set(template.roles(line))) > 1 for line in lines) > len(lines)
    return template.start.match(_END.sub("", lines[0]).lstrip()) is not None


def read(export: Export) -> Iterator[Item]:
    """A conversation for each record, or each part of a text file."""
    if export.rows is not None or _is_json(export):
        expected = "`text` with turns of a user and an assistant, in a chat template"
        yield from read_records(export, lambda record: _key(record) is not None, _conversations, expected)
        return
    for line, text in _parts(export):
        try:
            yield Conversation(_messages(text), line=line)
        except BadRecord as problem:
            yield BadItem(str(problem), text, line)


def _is_json(export: Export) -> bool:
    first = next((line.lstrip() for _, line in export.lines() if line.strip()), "")
    return first[:1] in ("{", "[") and not first.startswith("[INST]")


def _key(record: dict[str, Any]) -> str | None:
    """The key of the text of a record; None if it has none, or holds the answer under another key."""
    if any(plain(key) in _OTHERS for key in record):
        return None
    return next((key for key in _TEXTS if (text := as_text(record.get(key))) and _template(text)), None)


def _template(text: str) -> _Template | None:
    """The template of a text that has turns of both a user and an assistant."""
    return next((template for template in _TEMPLATES if {"user", "assistant"} <= set(template.roles(text))), None)


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    key = _key(record) or ""
    yield Conversation(_messages(record[key]), **about(record, key))


def _messages(text: str) -> list[Message]:
    template = _template(text)
    if template is None:
        raise BadRecord("expected turns of a user and an assistant in a chat template")
    before, *parts = template.start.split(text)
    turns = [("system", before)]
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        role = _ROLES.get(name.lower())
        if role is None:
            raise BadRecord(f"expected a turn of user, assistant, system or tool, not {name[:40]!r}")
        if system := _SYSTEM.search(content):
            turns.append(("system", system[1]))
            content = content[: system.start()] + content[system.end() :]
        turns.append((role, content))
    cleaned = [{"role": role, "content": _END.sub("", content).strip()} for role, content in turns]
    return messages_of([turn for turn in cleaned if turn["content"]])  # an empty turn at the end waits for an answer


def _parts(export: Export) -> Iterator[tuple[int, str]]:
    """The texts of the dialogues of a file, with their lines."""
    part: list[str] = []
    start, was_blank, template = 1, False, None
    for number, line in export.lines():
        template = template or next((each for each in _TEMPLATES if each.roles(line)), None)
        if part and line.strip() and template and _begins(line, part, was_blank, template):
            yield start, "\n".join(part)
            part = []
        if line.strip() or part:
            start = start if part else number
            part.append(line)
        was_blank = not line.strip()
    if part:
        yield start, "\n".join(part)


def _begins(line: str, part: list[str], was_blank: bool, template: _Template) -> bool:
    """Whether a dialogue begins with a line, after the lines of one."""
    roles = template.roles(line)
    if template.one_line:
        return len(set(roles)) > 1
    if not (roles or _FIRST.match(line)):
        return False
    text = "\n".join(part)
    before = template.roles(text)
    if not before:
        return False
    is_next = was_blank and roles[:1] == ["user"] and "assistant" in before
    return roles[:1] == ["system"] or bool(_FIRST.match(line)) or is_next or bool(_LAST.search(text))


FORMAT = Format(
    name="chatml",
    title="texts of chat templates (ChatML, Llama, Zephyr, Gemma, Vicuna, Alpaca), text or JSON Lines",
    rows="dialogues",
    looks=(
        ("train.jsonl", '{"text": "<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\nHello<|im_end|>"}'),
        ("train.jsonl", '{"text": "<s>[INST] <<SYS>>\\nBe brief\\n<</SYS>>\\n\\nHi [/INST] Hello </s>"}'),
        ("train.txt", "<|start_header_id|>user<|end_header_id|> Hi<|eot_id|><|start_header_id|>assistant..."),
        ("train.jsonl", '{"text": "<|user|>\\nHi</s>\\n<|assistant|>\\nHello</s>"}'),
        ("train.jsonl", '{"text": "A chat. USER: Hi ASSISTANT: Hello</s>"}'),
    ),
    checked=(
        "lm-sys/FastChat fastchat/conversation.py; meta-llama/llama3 llama/tokenizer.py (ChatFormat); "
        "ai.google.dev/gemma/docs/capabilities/text/chat; copies of Meta's chat_completion for Llama 2"
    ),
    recognises=recognises,
    read=read,
    roles="the template's roles",
)
