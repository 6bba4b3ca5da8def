"""Convert a raw record into a dialogue or labelled utterances."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from dataset_builders.own_data.containers.text_encoding import is_damaged
from dataset_builders.own_data.messages import Conversation, Kind, Message
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain import plain_text
from dataset_builders.own_data.plain.names import (
    ANSWER,
    BARE_TURNS,
    QUESTION,
    SPEAKER,
    TEXT,
    TIME,
    TURNS,
    WEAK_ANSWER,
    WEAK_QUESTION,
    Layout,
    find_layout,
    plain,
)
from dataset_builders.own_data.plain.values import at_path, is_out_of_scope, metadata_of
from dataset_builders.own_data.rejects import LONGEST_TEXT, BadRecord, NotEvident, Tally, check_length
from dataset_builders.own_data.split_names import split_name
from dataset_builders.own_data.turns import speakers
from dataset_builders.own_data.turns.clean import clean
from dataset_builders.own_data.turns.conversations import dialogues_of
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import ALL, Dialogue, Speaker, Turn, Utterance

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_MAX_LAYOUTS = 1000
_NO_TURNS = speakers.PROMPT | speakers.TOOL
_Described = TypeVar("_Described", Dialogue, Conversation)


class RecordParser:
    """Parses records; recognises their layout once for each set of keys.

    Args:
        options: Columns that the user named.
        tally: Counts of what is left out; None for none.
        answering: Names of those who answer, case-folded, if the whole file shows it.
        ignored: Keys whose values are not what their names say; see `names.find_layout`.
    """

    def __init__(
        self,
        options: Options,
        tally: Tally | None = None,
        answering: frozenset[str] = frozenset(),
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self._options, self._tally = options, tally or Tally()
        self._answering, self._ignored = answering, ignored
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
        layout = find_layout(keys, self._options, lists, self._ignored)
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
            BadRecord: A value is missing, empty or of the wrong type, or it is not evident who answers.
        """
        if layout.kind == "intent":
            rows: Sequence[Dialogue | Utterance] = _utterances(record, layout)
        elif layout.kind == "pair":
            rows = [self._pair(record, layout)]
        else:
            rows = list(self._dialogues(self.conversation(record, layout)))
        if layout.split and (split := split_name(record[layout.split])):
            for row in rows:
                row.split = split
        if layout.rest and (metadata := metadata_of({key: record[key] for key in layout.rest})):
            for row in rows:
                row.metadata = metadata
        return rows

    def pair_texts(self, record: dict[str, Any], layout: Layout) -> tuple[str, str] | None:
        """The question and the answer of a record with both, cleaned; None if both are lists of messages.

        Raises:
            BadRecord: One is empty or no text.
        """
        first, second = record[layout.text], record[layout.other]
        if is_clean(first) and is_clean(second) and not layout.more:
            return first, second
        if _are_messages(first) and _are_messages(second):
            return None
        question, answer = text_of(first, "question"), text_of(second, "answer")
        if layout.more and (more := text_of(record[layout.more], layout.more)):
            question = f"{question}\n{more}" if question else more
        question, answer = clean(question, False, self._tally), clean(answer, False, self._tally)
        if not question or not answer:
            raise BadRecord(f"the {'answer' if question else 'question'} is empty")
        return question, answer

    def conversation(self, record: Any, layout: Layout) -> Conversation:
        """The conversation in a record with a list of turns.

        Raises:
            BadRecord: A turn has no text or no speaker, or is of the wrong type.
        """
        turns = record[layout.text] if layout.text else record
        if isinstance(turns, str):
            messages = [Message(name, text) for name, text in plain_text.turns_of(text_of(turns, "dialogue"))]
        elif isinstance(turns, list):
            messages = _turns(turns, self._options)
        else:
            raise BadRecord(f"the turns are {_json_type(turns)}, not a list")
        prompt_first = plain(layout.text) in ("messages", "conversations")
        return _about(Conversation(mark_prompts(messages, prompt_first)), record, layout)

    def _dialogues(self, conversation: Conversation) -> Iterator[Dialogue]:
        return dialogues_of(conversation, self._options, self._tally, self._answering)

    def _pair(self, record: dict[str, Any], layout: Layout) -> Dialogue:
        texts = self.pair_texts(record, layout)
        if texts is None:
            messages = [*_turns(record[layout.text], self._options), *_turns(record[layout.other], self._options)]
            return next(self._dialogues(_about(Conversation(mark_prompts(messages, True)), record, layout)))
        dialogue = Dialogue("", ALL, [Turn("user", texts[0]), Turn("system", texts[1])])
        if layout.history and isinstance(earlier := record[layout.history], list) and earlier:
            dialogue.turns[:0] = next(self._dialogues(Conversation(_turns(earlier, self._options)))).turns
        return _about(dialogue, record, layout) if layout.has_details else dialogue


def is_clean(value: Any) -> bool:
    r"""Whether a value is a text that `text_of`, `clean` and the trimming of turns leave as it is; not every such text.

    >>> is_clean("Is it open?"), is_clean("Is it open?\n"), is_clean("<b>Open</b>"), is_clean(7)
    (True, False, False, False)
    """
    if value.__class__ is not str or not value or value.strip() != value or "<" in value or len(value) > LONGEST_TEXT:
        return False
    return value.isascii() or (value.strip("\ufeff\u200e \t\r\n") == value and not is_damaged(value))


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
    if len(value) > LONGEST_TEXT:
        check_length(value)
    if not value.isascii():
        if is_damaged(value):
            raise BadRecord(f"the {what} holds bytes that are not text in this encoding")
        value = value.strip("\ufeff")
    return value.strip()


def label_of(value: Any) -> tuple[str | list[str], bool]:
    """A label with single spaces, or the labels of a list of several; and whether they are out of scope.

    Raises:
        BadRecord: A label is empty, or it is something else.
    """
    is_list = isinstance(value, list) and value and all(isinstance(part, str) for part in value)
    labels = [" ".join(text_of(part, "label").split()) for part in (value if is_list else [value])]
    if not all(labels):
        raise BadRecord("the label is empty")
    return labels if len(labels) > 1 else labels[0], all(map(is_out_of_scope, labels))


def mark_prompts(messages: list[Message], prompt_first: bool) -> list[Message]:
    """The messages with the kinds that their speakers' names imply: prompts and messages of programs.

    Args:
        messages: Messages of one conversation; those with such names are changed.
        prompt_first: Whether a single leading `system` is a prompt, even if no assistant answers.
    """
    distinct = {message.speaker for message in messages}
    names = {speaker: name for speaker in distinct if (name := speaker.strip().casefold()) in _NO_TURNS}
    if not names:
        return messages
    answered = any(speakers.side(speaker) == "system" for speaker in distinct)
    first = names.get(messages[0].speaker, "")
    leading = prompt_first and first in speakers.PROMPT and [names.get(m.speaker) for m in messages].count(first) == 1
    for message in messages:
        name = names.get(message.speaker, "")
        if name in speakers.TOOL and message.kind == "text":
            message.kind = "tool"
        elif name in speakers.PROMPT and (answered or leading):
            message.kind = "prompt"
        elif name in speakers.PROMPT:
            message.role = "system"
    return messages


def own_id(record: Any, layout: Layout) -> str:
    """The record's own id; empty if it has none."""
    value = record.get(layout.id) if layout.id else None
    if isinstance(value, str):
        return " ".join(value.split())[:200].encode("utf-8", "replace").decode()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # spreadsheets export 7 as 7.0
        value = int(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _turns(values: list[Any], options: Options) -> list[Message]:
    """The messages of a list of turns: objects, [speaker, text] or [question, answer] lists, or alternating texts."""
    pairs = [value for value in values if isinstance(value, list)]
    are_speakers = bool(pairs) and _name_speakers(pairs, options)
    messages: list[Message] = []
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            messages += _turn(value, number, options)
        elif isinstance(value, list) and len(value) == 2 and all(isinstance(v, str | None) for v in value):
            first, second = (text_of(v, f"turn {number}") for v in value)
            if are_speakers:
                messages.append(Message(first, second))
            else:
                messages += _exchange(first, second)
        elif isinstance(value, str):
            role: Speaker = "user" if number % 2 else "system"
            messages.append(Message(role, text_of(value, f"turn {number}"), role=role))
        else:
            raise BadRecord(f"turn {number} is {_json_type(value)}")
    return messages


def _exchange(question: str, answer: str) -> list[Message]:
    return [Message("user", question, role="user"), Message("system", answer, role="system")]


def _name_speakers(pairs: list[list[Any]], options: Options) -> bool:
    """Whether two-element lists are [speaker, text] rather than [question, answer].

    Raises:
        BadRecord: It is not evident.
    """
    if options.speaker_column or options.question_column:
        return bool(options.speaker_column)
    firsts = [str(pair[0] or "").strip() for pair in pairs if pair]
    if any(speakers.side(name) or name.casefold() in speakers.PROMPT for name in firsts):
        return True
    if len(set(firsts)) == len(firsts) and (len(firsts) == 1 or any(len(name.split()) > 2 for name in firsts)):
        return False
    if 2 * len(set(firsts)) <= len(firsts) + 1 and all(len(name.split()) <= 3 for name in firsts):
        return True
    raise BadRecord(
        "it is not evident whether lists of two texts are [speaker, text] or [question, answer]; say which: "
        "speaker_column and text_column 1 and 2 (--speaker-column 1 --text-column 2), or question_column and "
        "answer_column 1 and 2"
    )


def _turn(value: dict[str, Any], number: int, options: Options) -> list[Message]:
    keys = _turn_keys(tuple(value))
    text, speaker_key, time = keys.text, keys.speaker, keys.time
    if options.turns_path:  # keys that the user named
        text, speaker_key = options.text_column or text, options.speaker_column or speaker_key
        time = options.time_column or time
    time_value = at_path(value, time) if time else None
    if text is not None and speaker_key is not None:
        speaker = value[speaker_key] if speaker_key in value else at_path(value, speaker_key)
        if isinstance(speaker, dict):  # {"author": {"role": "user"}}
            speaker = speaker.get("role") or speaker.get("name")
        spoken = text_of(value[text] if text in value else at_path(value, text), "text of a turn")
        has_calls = not spoken and ("tool_calls" in value or "function_call" in value)
        kind: Kind = "tool" if has_calls else "text"
        moment = None if time_value is None else seconds(time_value, options.date_order)
        return [Message(text_of(speaker, "speaker"), spoken, moment, kind=kind)]
    if keys.question is not None and keys.answer is not None:  # one object per exchange
        question, answer = text_of(value[keys.question], "question"), text_of(value[keys.answer], "answer")
        return _exchange(question, answer)
    if keys.speaker is not None and ("tool_calls" in value or "function_call" in value):
        return [Message(text_of(value[keys.speaker], "speaker"), "", kind="tool")]
    missing = "speaker" if keys.speaker is None else "text"
    raise NotEvident(
        f"turn {number} has no {missing} among its keys {', '.join(map(str, value))[:80] or 'none'}; name them: "
        "turns_path, speaker_column and text_column"
    )


class _TurnKeys(NamedTuple):
    text: str | None
    speaker: str | None
    question: str | None
    answer: str | None
    time: str | None


@functools.lru_cache(maxsize=1024)
def _turn_keys(keys: tuple[str, ...]) -> _TurnKeys:
    by_name = {plain(key): key for key in reversed(keys)}

    def find(names: tuple[str, ...], taken: str | None = None) -> str | None:
        return next((by_name[n] for n in names if n in by_name and by_name[n] != taken), None)

    text = find(TEXT)
    question, answer = find((*QUESTION, *WEAK_QUESTION, "usr")), find((*ANSWER, *WEAK_ANSWER))
    return _TurnKeys(text, find(SPEAKER, text), question, answer, find(TIME, text))


def _utterances(record: dict[str, Any], layout: Layout) -> list[Utterance]:
    (label, is_out), texts = label_of(record[layout.other]), record[layout.text]
    utterances = [text_of(text, "utterance") for text in (texts if isinstance(texts, list) else [texts])]
    if not any(utterances):
        raise BadRecord("the utterance is empty")
    language = _language(record, layout)
    return [Utterance("", ALL, text, label, is_out_of_scope=is_out, language=language) for text in utterances if text]


def _about(dialogue: _Described, record: Any, layout: Layout) -> _Described:
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


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(element, dict) for element in value)


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
