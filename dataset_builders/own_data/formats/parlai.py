"""ParlAI: its dialog format (`text:...<TAB>labels:...`), its conversations (JSON Lines), and Facebook's old dialogs.

In the text formats, the label is what the model answers. Facebook's lines are numbered from 1 in each dialogue; lines
without an answer belong to the next question, as ParlAI reads them; "your persona" lines are prompts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_files import about, most_fit, read_records
from dataset_builders.own_data.formats.shared.json_values import as_text, dicts
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord

_FIELDS = re.compile(r"(?:\w+:[^\t]*\t)*text:[^\t]*\t(?:[^\t]*\t)*(?:eval_)?labels:")
_NUMBERED = re.compile(r"(\d+) (.*)")
_PERSONA = re.compile(r"(?:your|partner's) persona: ?", re.IGNORECASE)
_SILENCES = {"__silence__", "<silence>"}


def recognises(probe: Probe) -> bool:
    """Whether its lines have `text:` and `labels:`, or numbers that begin again, or dialogs of exchanges."""
    if probe.records:
        return most_fit(probe, _fits)
    lines = [line for line in probe.lines[:1000] if line.strip()]
    return bool(lines) and (_FIELDS.match(lines[0]) is not None or _are_numbered(lines))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each episode."""
    first = "{" if export.rows is not None else next((line for _, line in export.lines() if line.strip()), "")
    if first.lstrip()[:1] in ("{", "["):
        yield from read_records(
            export, _fits, _conversations, "`dialog`, a list of lists of turns with `id` and `text`"
        )
    else:
        yield from _fields(export) if _FIELDS.match(first) else _numbered(export)


def _fits(record: dict[str, Any]) -> bool:
    dialog = record.get("dialog")
    first = dialog[0] if isinstance(dialog, list) and dialog else None
    if not isinstance(first, list) or not first:
        return False
    return all(isinstance(turn, dict) and {"id", "text"} <= turn.keys() for turn in first)


def _are_numbered(lines: list[str]) -> bool:
    """Whether lines are numbered from 1, more than once, and half of them have an answer."""
    matches = [_NUMBERED.match(line) for line in lines]
    numbers = [int(match[1]) for match in matches if match]
    if len(numbers) < len(lines) or numbers.count(1) < 2 or numbers[0] != 1:
        return False
    follows = all(b in (1, a + 1) for a, b in pairwise(numbers))
    return follows and 2 * sum("\t" in line for line in lines) >= len(lines)


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    prompts = [Message("", as_text(turn.get("text")), kind="prompt") for turn in dicts(record.get("context"))]
    turns = [turn for exchange in record["dialog"] for turn in (exchange if isinstance(exchange, list) else [exchange])]
    if not all(isinstance(turn, dict) and as_text(turn.get("id")) for turn in turns):
        raise BadRecord("expected each turn to have an `id`, the name of its speaker, and `text`")
    spoken = [Message(as_text(turn["id"]), as_text(turn.get("text"))) for turn in turns]
    yield Conversation([*prompts, *spoken], **about(record, "dialog", "context", "metadata_path"))


def _fields(export: Export) -> Iterator[Item]:
    messages: list[Message] = []
    start = 0
    for number, line in export.lines():
        if not line.strip():
            continue
        fields = dict(field.split(":", 1) for field in line.split("\t") if ":" in field)
        start = start or number
        if "text" not in fields:
            yield BadItem("expected `text:` and `labels:`, separated by tabs", line, number)
            continue
        label = fields.get("labels", fields.get("eval_labels", "")).split("|")[0]
        messages += _exchange(_unescaped(fields["text"]), _unescaped(label))
        if fields.get("episode_done") == "True":
            yield Conversation(messages, line=start)
            messages, start = [], 0
    if messages:
        yield Conversation(messages, line=start)


def _numbered(export: Export) -> Iterator[Item]:
    messages: list[Message] = []
    waiting: list[str] = []
    start = 0
    for number, line in export.lines():
        match = _NUMBERED.match(line)
        if match is None:
            if line.strip():
                yield BadItem("expected a number, the question, a tab and the answer", line, number)
            continue
        if int(match[1]) == 1 and (messages or waiting):
            yield Conversation([*messages, *_exchange("\n".join(waiting), "")], line=start)
            messages, waiting, start = [], [], 0
        start = start or number
        question, _, others = match[2].partition("\t")
        waiting.append(_unescaped(question))
        if answer := others.split("\t")[0]:
            messages += _exchange("\n".join(waiting), _unescaped(answer.split("|")[0]))
            waiting = []
    if messages or waiting:
        yield Conversation([*messages, *_exchange("\n".join(waiting), "")], line=start)


def _exchange(text: str, answer: str) -> list[Message]:
    """The persona, the question and the answer of one line."""
    lines = text.split("\n")
    personas = [line for line in lines if _PERSONA.match(line)]
    question = "\n".join(line for line in lines if not _PERSONA.match(line)).strip()
    messages = [Message("", _PERSONA.sub("", line), kind="prompt") for line in personas]
    if question and question.lower() not in _SILENCES:
        messages.append(Message("user", question, role="user"))
    if answer.strip():
        messages.append(Message("assistant", answer, role="system"))
    return messages


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("__PIPE__", "|").replace("\\t", "\t")


FORMAT = Format(
    name="parlai",
    title="ParlAI and Facebook dialogs, text or JSON Lines",
    rows="dialogues",
    looks=(
        ("train.txt", "text:Hi there<TAB>labels:Hello<TAB>episode_done:True"),
        ("chats.jsonl", '{"dialog": [[{"id": "speaker_1", "text": "..."}, {"id": "speaker_2", "text": "..."}], ...]}'),
        ("train.txt", "1 your persona: I like tea.<NEWLINE>2 Hi there<TAB>Hello"),
    ),
    checked=(
        "facebookresearch/ParlAI parlai/core/teachers.py (FbDeprecatedDialogTeacher), parlai/utils/conversations.py, "
        "and str_to_msg in parlai/utils/misc.py"
    ),
    recognises=recognises,
    read=read,
    roles="labels are the answers; in JSON by the names of the speakers",
)
