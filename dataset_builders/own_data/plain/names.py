"""Names of columns and JSON keys in English and Russian, and the layout that a set of them makes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from dataset_builders.own_data.options import ONE_CONVERSATION, Options
from dataset_builders.own_data.rejects import BadRecord, NotEvident

Kind = Literal["turns", "pair", "intent", "row"]

# The first match in a tuple wins.
QUESTION = (
    *("question", "questions", "q", "instruction", "prompt", "query", "input", "request", "user_message", "anchor"),
    *("вопрос", "запрос", "обращение", "в"),
)
WEAK_QUESTION = ("user", "human", "customer", "client", "пользователь", "клиент")
"""Column names that may also be speakers. Like `WEAK_ANSWER`, they count only if no other column qualifies."""

ANSWER = (
    *("answer", "answers", "a", "output", "completion", "response", "reply", "bot_message", "assistant_message"),
    *("positive", "ответ", "ответы", "о"),
)
WEAK_ANSWER = (
    *("assistant", "bot", "gpt", "target", "operator", "agent", "system", "sys"),
    *("ассистент", "бот", "оператор", "агент"),
)
TEXT = (
    *(
        "utterance",
        "text",
        "content",
        "message",
        "value",
        "sentence",
        "query",
        "phrase",
        "body",
        "patterns",
        "examples",
    ),
    *("utterances", "текст", "фраза", "реплика", "сообщение", "высказывание", "запрос", "примеры", "фразы"),
)
LABEL = (
    *("label_text", "intent_name", "intent", "label", "category", "class", "tag"),
    *("интент", "метка", "класс", "категория", "намерение"),
)
TURNS = (
    *("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "utterances", "log", "chat"),
    *("transcript", "chat_log", "диалог", "реплики", "сообщения", "разговор", "транскрипт"),
)
SPEAKER = (
    *("role", "speaker", "from", "author", "sender", "who", "participant"),
    *("роль", "спикер", "говорящий", "автор", "отправитель", "кто"),
)
DIALOGUE_ID = (
    *("dialogue_id", "dialog_id", "dialogueid", "dialogid", "conversation_id", "conversationid", "conv_id"),
    *("conversation", "dialogue", "dialog", "chat_id", "session_id", "thread_id", "ticket_id"),
    *("id_диалога", "ид_диалога", "номер_диалога", "диалог", "чат", "разговор"),
)
RECORD_ID = ("id", "_id", "uid", "uuid", "guid", *DIALOGUE_ID, "ид", "номер")
ORDER = ("turn_id", "turn_index", "turn_number", "turn_idx", "utterance_idx", "message_index", "номер_реплики")
SCENARIO = ("system_prompt", "scenario", "сценарий")
DOMAINS = ("domains", "domain", "домен", "домены")
LANGUAGE = ("language", "lang", "locale", "язык")
TIME = (
    *("time", "timestamp", "datetime", "date_time", "created_at", "createdat", "create_time", "sent_at", "date", "ts"),
    *("время", "дата", "дата_и_время"),
)
SPLIT = ("split", "subset", "fold", "set", "выборка")

NAME_COLUMNS = (
    "name them: question_column and answer_column (--question-column, --answer-column), text_column and label_column, "
    "dialogue_column, speaker_column and text_column if each row is a turn, or turns_path of a list of turns"
)
"""What settles which column is what, for messages."""

_SEPARATORS = re.compile(r"[\s\-_.]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which key of a record holds what.

    Args:
        kind: `turns` (a list of turns), `pair`, `intent`, or `row` (one turn; a dialogue spans several rows).
        text: Key of the turns, the question, the utterance, or the turn's text.
        other: Key of the answer, the label, or the speaker; empty for turns.
        id: Key of the record's id; for a row, of the dialogue's id.
        more: Key of a text that continues the question (alpaca's `input`).
        scenario: Key of what the dialogue is to be about.
        domains: Key of the domain or the list of domains.
        language: Key of the language tag.
        history: Key of the earlier question/answer pairs.
        order: Key of a turn's number within its dialogue.
        time: Key of a turn's time.
        split: Key of the split.
        rest: The other keys, which become the row's metadata.
    """

    kind: Kind
    text: str
    other: str = ""
    id: str | None = None
    more: str | None = None
    scenario: str | None = None
    domains: str | None = None
    language: str | None = None
    history: str | None = None
    order: str | None = None
    time: str | None = None
    split: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def has_details(self) -> bool:
        """Whether its records have a scenario, domains or a language."""
        return bool(self.scenario or self.domains or self.language)

    @property
    def is_bare_pair(self) -> bool:
        """Whether its records are a question and an answer, without earlier ones and without details."""
        return self.kind == "pair" and not self.history and not self.has_details

    @property
    def is_intent(self) -> bool:
        """Whether its records are labelled utterances rather than dialogues."""
        return self.kind == "intent"


BARE_TURNS = Layout("turns", "")
"""Layout of a record that is itself a list of turns."""


@functools.lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Normalise a column's name: case-folded, with one underscore for blanks, hyphens and dots.

    >>> plain(" Dialogue ID") == plain("dialogue-id")
    True
    """
    return _SEPARATORS.sub("_", name.strip(" \t\r\n\ufeff*#:\"'")).strip("_").casefold()


def find_layout(
    keys: Iterable[str],
    options: Options,
    turn_lists: frozenset[str] = frozenset(),
    ignored: frozenset[str] = frozenset(),
) -> Layout | None:
    """The layout of records with these keys; None if none fits.

    Args:
        keys: Keys as in the file.
        options: Columns that the user named.
        turn_lists: Keys from `TURNS` whose value is a list or has several lines: only those can hold turns.
        ignored: Keys whose values are not what their names say, such as a `time` without times: metadata.

    Raises:
        BadRecord: A column that the user named does not exist, its counterpart is not recognised, or no column of
            turns names the dialogue.
    """
    keys = list(keys)
    layout = _find_layout([key for key in keys if key not in ignored], options, turn_lists)
    if layout is None:
        return None
    used = {*vars_of(layout)} | ({"input"} if layout.more else set())
    return replace(layout, rest=tuple(key for key in keys if key not in used))


def vars_of(layout: Layout) -> Iterator[str]:
    """The keys that a layout uses."""
    names = ("text", "other", "id", "more", "scenario", "domains", "language", "history", "order", "time", "split")
    return (key for name in names if (key := getattr(layout, name)))


def _find_layout(keys: list[str], options: Options, turn_lists: frozenset[str]) -> Layout | None:
    by_name: dict[str, str] = {}
    for key in keys:
        by_name.setdefault(plain(key), key)

    def find(names: tuple[str, ...], *taken: str | None) -> str | None:
        return next((by_name[n] for n in names if n in by_name and by_name[n] not in taken), None)

    named = _named_columns(keys, by_name, options)
    split = named.get("split_column") or find(SPLIT)
    is_turn_text = "text_column" in named and "label_column" not in named and not find(LABEL) and find(SPEAKER)
    if options.of_turns or is_turn_text:
        return _named_turns(keys, by_name, named, options, split)
    if named.keys() - {"split_column"}:
        question, answer = find(QUESTION) or find(WEAK_QUESTION), find(ANSWER) or find(WEAK_ANSWER)
        layout = _named(keys, named, options, question, answer, find(TEXT), find(LABEL), find(RECORD_ID))
        return replace(layout, split=split)
    speaker = find(SPEAKER)
    text = find(TEXT, speaker)
    label = find(LABEL, text)
    dialogue = find(DIALOGUE_ID, text, speaker)
    about: dict[str, Any] = {
        "scenario": find(SCENARIO),
        "domains": find(DOMAINS),
        "language": find(LANGUAGE),
        "split": split,
    }
    if speaker and text and text not in turn_lists and (dialogue or not label):
        order, time = find(ORDER, text, speaker, dialogue), find(TIME, text, speaker, dialogue)
        layout = Layout("row", text, speaker, id=dialogue, order=order, time=time, **about)
        return _with_dialogue(keys, layout)
    turns = next((by_name[n] for n in TURNS if n in by_name and by_name[n] in turn_lists), None)
    if turns and not label:
        about["scenario"] = about["scenario"] or by_name.get("system")
        return Layout("turns", turns, "", id=find(RECORD_ID, turns), **about)
    answer = find(ANSWER) or (None if label else find(WEAK_ANSWER))
    question = find(QUESTION, answer) or (find(TEXT, answer) if answer == find(ANSWER) else None)
    question = question or find(WEAK_QUESTION, answer)
    if question and answer:
        more = by_name.get("input") if plain(question) == "instruction" and plain(answer) != "input" else None
        about["scenario"] = about["scenario"] or (by_name.get("system") if plain(answer) != "system" else None)
        history = by_name.get("history")
        return Layout("pair", question, answer, id=find(RECORD_ID), more=more, history=history, **about)
    text = text or find(QUESTION, label)
    if text and label:
        return Layout("intent", text, label, id=find(RECORD_ID), language=about["language"])
    return None


def is_column_name(cell: str) -> bool:
    """Whether a cell is one of the recognised names of columns."""
    return plain(cell) in _ALL


_ALL = frozenset(
    (*QUESTION, *WEAK_QUESTION, *ANSWER, *WEAK_ANSWER, *TEXT, *LABEL, *TURNS, *SPEAKER, *DIALOGUE_ID, *RECORD_ID)
) - {"a", "в", "о"}


def _with_dialogue(keys: list[str], layout: Layout) -> Layout:
    """The layout of rows of turns, unless a column that is not recognised may name the dialogue."""
    others = [key for key in keys if key not in set(vars_of(layout)) and plain(key) not in ("", "n", "row", "index")]
    if layout.id is None and others:
        raise NotEvident(
            "it is not evident which turns are one dialogue; name the column: dialogue_column (--dialogue-column, one "
            f"of {', '.join(others[:10])[:200]}; `{ONE_CONVERSATION}` if each file is one dialogue)"
        )
    return layout


def _named_columns(keys: list[str], by_name: dict[str, str], options: Options) -> dict[str, str]:
    """Option -> key of each column of records that the user named."""
    of_records = options.columns
    if options.turns_path:  # these are keys of a turn
        of_records = {k: v for k, v in of_records.items() if k in ("turns_path", "split_column", "dialogue_column")}
    columns: dict[str, str] = {}
    for option, name in of_records.items():
        key = name if name in keys else by_name.get(plain(name))
        if key is None and not (option == "dialogue_column" and name == ONE_CONVERSATION):
            shown = ", ".join(keys[:10]) or "none"
            raise BadRecord(f"no column {name!r}; there are: {shown[:200]}")
        columns[option] = key or ""
    return columns


def _named_turns(
    keys: list[str], by_name: dict[str, str], named: dict[str, str], options: Options, split: str | None
) -> Layout:
    """The layout of dialogues with the columns of turns that the user named; the others are recognised."""

    def find(option: str, names: tuple[str, ...], *taken: str | None) -> str | None:
        if option in named:
            return named[option] or None
        return next((by_name[n] for n in names if n in by_name and by_name[n] not in taken), None)

    if "turns_path" in named:
        record_id = find("dialogue_column", RECORD_ID, named["turns_path"])
        return Layout("turns", named["turns_path"], "", id=record_id, split=split)
    speaker = find("speaker_column", SPEAKER)
    text = find("text_column", TEXT, speaker)
    dialogue = find("dialogue_column", DIALOGUE_ID, text, speaker)
    if speaker is None or text is None:
        missing = "speaker_column" if speaker is None else "text_column"
        raise BadRecord(f"say which column is the other one: {missing}; there are: {', '.join(keys[:10])[:200]}")
    order, time = find("turn_column", ORDER, text, speaker, dialogue), find("time_column", TIME, text, speaker)
    layout = Layout("row", text, speaker, id=dialogue, order=order, time=time, split=split)
    return layout if "dialogue_column" in named else _with_dialogue(keys, layout)


def _named(
    keys: list[str],
    columns: dict[str, str],
    options: Options,
    question: str | None,
    answer: str | None,
    text: str | None,
    label: str | None,
    record_id: str | None,
) -> Layout:
    """The layout with the columns that the user named; a missing counterpart is the recognised column."""
    kind: Kind = "pair" if options.question_column or options.answer_column else "intent"
    if kind == "pair":
        first, second = columns.get("question_column", question), columns.get("answer_column", answer)
        missing = "question_column" if first is None else "answer_column"
    else:
        first, second = columns.get("text_column", text), columns.get("label_column", label)
        missing = "text_column" if first is None else "label_column"
    if first is None or second is None or first == second:
        raise BadRecord(f"say which column is the other one: {missing}; there are: {', '.join(keys[:10])[:200]}")
    return Layout(kind, first, second, id=record_id if record_id not in (first, second) else None)
