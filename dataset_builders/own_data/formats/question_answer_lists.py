"""Questions with several wordings or answers: `questions` and `answers` as lists, such as a QnA Maker knowledge base.

Each question gets the first answer; the other answers are metadata. Lists of the same length are taken side by side:
the second question gets the second answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_files import about, first_records, most_fit, read_records
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.plain.names import plain
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord

_QUESTIONS = {"questions", "question", "вопросы", "вопрос"}
_ANSWERS = {"answers", "answer", "ответы", "ответ"}
_CHOICES = {
    *("options", "choices", "distractors", "correct", "correct_answer", "correct_index", "answer_index", "answer_idx"),
}
"""Keys of multiple-choice questions, whose answers are not all right."""


def recognises(probe: Probe) -> bool:
    """Whether the records have questions and answers, and one of the first ones has several of either."""
    return most_fit(probe, _fits) and any(
        isinstance(record, dict) and _fits(record) and any(len(texts) > 1 for texts in _texts(record))
        for record in first_records(probe, _fits)
    )


def read(export: Export) -> Iterator[Item]:
    """A conversation for each question."""
    return read_records(export, _fits, _conversations, "`questions` and `answers`, a text or a list of texts each")


def _fits(record: dict[str, Any]) -> bool:
    values = [record[key] for key in _keys(record)]
    return len(values) == 2 and all(map(_is_texts, values)) and any(isinstance(value, list) for value in values)


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(text, str) for text in value))


def _keys(record: dict[str, Any]) -> list[str]:
    """The keys of the questions and of the answers; fewer if it has none."""
    matches = (next((key for key in record if plain(key) in names), None) for names in (_QUESTIONS, _ANSWERS))
    return [key for key in matches if key is not None]


def _texts(record: dict[str, Any]) -> list[list[str]]:
    values = (record[key] for key in _keys(record))
    return [[text for text in ([value] if isinstance(value, str) else value) if text.strip()] for value in values]


def _conversations(record: dict[str, Any]) -> Iterator[Conversation]:
    if choices := next((key for key in record if plain(key) in _CHOICES), None):
        raise BadRecord(
            f"its answers are not all right, since it has `{choices}`; expected questions and their answers"
        )
    questions, answers = _texts(record)
    if not questions or not answers:
        raise BadRecord(f"it has no {'answer' if questions else 'question'}")
    is_parallel = len(questions) == len(answers)
    for number, question in enumerate(questions):
        answer = answers[number if is_parallel else 0]
        details = about(record, *_keys(record))
        if details["id"] and len(questions) > 1:
            details["id"] += f".{number + 1}"
        if not is_parallel and len(answers) > 1:
            details["metadata"]["answers"] = answers[1:]
        yield Conversation(
            [Message("question", question, role="user"), Message("answer", answer, role="system")], **details
        )


FORMAT = Format(
    name="question-answer-lists",
    title="lists of questions and answers (QnA Maker and others), JSON",
    rows="dialogues",
    looks=(
        ("faq.json", '[{"questions": ["...", "..."], "answers": ["..."]}, ...]'),
        ("kb.json", '{"qnaDocuments": [{"id": 1, "answer": "...", "questions": ["...", "..."], "metadata": [...]}]}'),
    ),
    checked=(
        "the answer of QnA Maker's download in MicrosoftDocs; "
        "learn.microsoft.com/javascript/api/botbuilder-ai/qnamakerresult"
    ),
    recognises=recognises,
    read=read,
    roles="questions are the user's, answers the system's",
)
