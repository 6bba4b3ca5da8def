"""Convert a raw record into a dialogue or labelled utterances."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from dataset_builders.own_data import plain_text, speakers
from dataset_builders.own_data.names import (
    ANSWER,
    BARE_TURNS,
    QUESTION,
    SPEAKER,
    TEXT,
    TURNS,
    WEAK_ANSWER,
    WEAK_QUESTION,
    Layout,
    find_layout,
    plain,
)
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.text_encoding import is_damaged
from dataset_builders.schema import ALL, Dialogue, Turn, Utterance

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_MAX_LAYOUTS = 1000


class RecordParser:
    """Parses records; recognises their layout once for each set of keys.

    Args:
        options: Columns that the user named.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def layout(self, record: Any) -> Layout:
        """Which key of the record holds what.

        Raises:
            BadRecord: The keys fit no layout.
        """
        if isinstance(record, list):
            return BARE_TURNS
        if not isinstance(record, dict):
            raise BadRecord(f"expected an object, found {_json_type(record)}")
        keys = tuple(record)
        if (cached := self._layouts.get(keys)) and (cached.kind != "turns" or _may_be_turns(record[cached.text])):
            return cached
        turn_keys = [key for key in keys if plain(key) in TURNS]
        lists = frozenset(key for key in turn_keys if _may_be_turns(record[key]))
        layout = find_layout(keys, self._options, lists)
        if layout is None:
            raise BadRecord(f"no known keys among {', '.join(map(str, keys))[:100] or 'none'}")
        if len(self._layouts) < _MAX_LAYOUTS and (not turn_keys or layout.kind == "turns"):
            self._layouts[keys] = layout
        return layout

    def is_record(self, record: dict[str, Any]) -> bool:
        """Whether the keys of an object fit a layout."""
        try:
            self.layout(record)
        except BadRecord:
            return False
        return True

    def parse(self, record: Any, layout: Layout) -> Sequence[Dialogue | Utterance]:
        """The rows of a record; their ids are empty.

        Raises:
            BadRecord: A value is missing, empty or of the wrong type.
        """
        if layout.kind == "intent":
            return _utterances(record, layout)
        return [_pair(record, layout) if layout.kind == "pair" else _turns_record(record, layout)]


def text_of(value: Any, what: str) -> str:
    """The text of a string, a number or OpenAI's list of parts; empty for null.

    Args:
        value: JSON value.
        what: What the value is, for the message.

    Raises:
        BadRecord: The value is something else, or holds bytes that are not text.
    """
    if value.__class__ is not str:
        value = _text_of_other(value, what)
    if not value.isascii():
        if is_damaged(value):
            raise BadRecord(f"the {what} holds bytes that are not text in this encoding")
        value = value.strip("\ufeff")
    return value.strip()


def dialogue_of(turns: Sequence[tuple[str, str]], prompt_first: bool = False, scenario: str | None = None) -> Dialogue:
    """A dialogue from its turns.

    Args:
        turns: (speaker, text) of each turn, as in the file.
        prompt_first: A leading `system` message is a prompt; see `speakers.assign`.
        scenario: What the dialogue is about; prompts are appended.

    Raises:
        BadRecord: No turn has a text, or a speaker is neither user nor system.
    """
    roles = speakers.assign([name for name, _ in turns], prompt_first)
    spoken = [Turn(r, text) for r, (_, text) in zip(roles, turns, strict=True) if r == "user" or r == "system"]
    prompts = [text for role, (_, text) in zip(roles, turns, strict=True) if role == "prompt" and text]
    if not any(turn.text for turn in spoken):
        raise BadRecord("no turn has a text")
    return Dialogue("", ALL, spoken, scenario="\n".join([*([scenario] if scenario else []), *prompts]) or None)


def own_id(record: Any, layout: Layout) -> str:
    """The record's own id; empty if it has none."""
    value = record.get(layout.id) if layout.id else None
    if isinstance(value, str):
        return " ".join(value.split())[:200].encode("utf-8", "replace").decode()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # spreadsheets export 7 as 7.0
        value = int(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _pair(record: dict[str, Any], layout: Layout) -> Dialogue:
    first, second = record[layout.text], record[layout.other]
    if isinstance(first, list) and isinstance(second, list) and first and second:  # prompt and completion as messages
        return _about(dialogue_of([*_turns(first), *_turns(second)], prompt_first=True), record, layout)
    question, answer = text_of(first, "question"), text_of(second, "answer")
    if layout.more and (more := text_of(record[layout.more], layout.more)):
        question = f"{question}\n{more}" if question else more
    if not question or not answer:
        raise BadRecord(f"the {'answer' if question else 'question'} is empty")
    turns = [Turn("user", question), Turn("system", answer)]
    if layout.history and isinstance(earlier := record[layout.history], list):
        turns[:0] = dialogue_of(_turns(earlier)).turns if earlier else []
    dialogue = Dialogue("", ALL, turns)
    return _about(dialogue, record, layout) if layout.has_details else dialogue


def _turns_record(record: Any, layout: Layout) -> Dialogue:
    turns = record[layout.text] if layout.text else record
    raw = plain_text.turns_of(text_of(turns, "dialogue")) if isinstance(turns, str) else _turns(turns)
    prompt_first = plain(layout.text) in ("messages", "conversations")
    dialogue = dialogue_of(raw, prompt_first)
    return _about(dialogue, record, layout) if layout.has_details else dialogue


def _turns(values: list[Any]) -> list[tuple[str, str]]:
    """(speaker, text) of each turn, from objects, [question, answer] or [speaker, text] lists, or alternating texts."""
    turns: list[tuple[str, str]] = []
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            turns.extend(_turn(value, number))
        elif isinstance(value, list) and len(value) == 2 and all(isinstance(v, str | None) for v in value):
            first, second = (text_of(v, f"turn {number}") for v in value)
            is_speaker = speakers.side(first) or first.casefold() in speakers.PROMPT
            turns.extend([(first, second)] if is_speaker else [("user", first), ("assistant", second)])
        elif isinstance(value, str):
            turns.append(("user" if number % 2 else "assistant", text_of(value, f"turn {number}")))
        else:
            raise BadRecord(f"turn {number} is {_json_type(value)}")
    return turns


def _turn(value: dict[str, Any], number: int) -> list[tuple[str, str]]:
    keys = _turn_keys(tuple(value))
    if keys.text is not None and keys.speaker is not None:
        speaker = value[keys.speaker]
        if isinstance(speaker, dict):  # {"author": {"role": "user"}}
            speaker = speaker.get("role")
        return [(text_of(speaker, "speaker"), text_of(value[keys.text], "text of a turn"))]
    if keys.question is not None and keys.answer is not None:  # one object per exchange
        question, answer = text_of(value[keys.question], "question"), text_of(value[keys.answer], "answer")
        return [("user", question), ("assistant", answer)]
    if keys.speaker is not None and ("tool_calls" in value or "function_call" in value):
        return [(text_of(value[keys.speaker], "speaker"), "")]
    missing = "speaker" if keys.speaker is None else "text"
    raise BadRecord(f"turn {number} has no {missing} (its keys are {', '.join(map(str, value))[:80] or 'none'})")


class _TurnKeys(NamedTuple):
    text: str | None
    speaker: str | None
    question: str | None
    answer: str | None


@functools.lru_cache(maxsize=1024)
def _turn_keys(keys: tuple[str, ...]) -> _TurnKeys:
    by_name = {plain(key): key for key in reversed(keys)}

    def find(names: tuple[str, ...], taken: str | None = None) -> str | None:
        return next((by_name[n] for n in names if n in by_name and by_name[n] != taken), None)

    text = find(TEXT)
    return _TurnKeys(text, find(SPEAKER, text), find((*QUESTION, *WEAK_QUESTION, "usr")), find((*ANSWER, *WEAK_ANSWER)))


def _utterances(record: dict[str, Any], layout: Layout) -> list[Utterance]:
    label, texts = text_of(record[layout.other], "label"), record[layout.text]
    utterances = [text_of(text, "utterance") for text in (texts if isinstance(texts, list) else [texts])]
    if not label:
        raise BadRecord("the label is empty")
    if not any(utterances):
        raise BadRecord("the utterance is empty")
    language = _language(record, layout)
    return [Utterance("", ALL, text, " ".join(label.split()), language=language) for text in utterances if text]


def _about(dialogue: Dialogue, record: dict[str, Any], layout: Layout) -> Dialogue:
    if layout.scenario:
        scenarios = [text_of(record[layout.scenario], "scenario"), dialogue.scenario or ""]
        dialogue.scenario = "\n".join(filter(None, scenarios)) or None
    if layout.domains:
        value = record[layout.domains]
        domains = [text_of(domain, "domain") for domain in (value if isinstance(value, list) else [value])]
        dialogue.domains = [domain for domain in domains if domain]
    if layout.language:
        dialogue.language = _language(record, layout)
    return dialogue


def _language(record: dict[str, Any], layout: Layout) -> str | None:
    value = record[layout.language] if layout.language else None
    return value if isinstance(value, str) and _LANGUAGE.fullmatch(value) else None


def _text_of_other(value: Any, what: str) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and (len(value) == 1 or all(isinstance(part, dict) for part in value)):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        return "\n".join(part for part in parts if isinstance(part, str))
    raise BadRecord(f"the {what} is {_json_type(value)}, not a text")


def _may_be_turns(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and "\n" in value.strip())


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "a value")
