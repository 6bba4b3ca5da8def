"""SQuAD and its translations: questions about paragraphs, each with the first of its answers.

The title is the domain, the paragraph the scenario; other answers are metadata. A question that the paragraph does not
answer makes a dialogue of one turn: its wrong `plausible_answers` are no answers. In QuAC, whose questions follow each
other (`followup`), a paragraph makes one dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_files import (
    first_records,
    id_of,
    most_fit,
    raw_records,
    text_or_none,
)
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.probe import Probe

_NO_ANSWER = "CANNOTANSWER"
"""QuAC's answer to a question that the paragraph does not answer."""


def recognises(probe: Probe) -> bool:
    """Whether the records are articles with paragraphs of `qas`, or rows with a question, its context and answers."""
    return any(isinstance(record, dict) and _is_article(record) for record in first_records(probe, _fits)[:1]) or (
        most_fit(probe, _is_row)
    )


def read(export: Export) -> Iterator[Item]:
    """A conversation for each question, or for each paragraph of QuAC."""
    for line, record in raw_records(export, _fits):
        if isinstance(record, dict) and _is_row(record):
            yield _conversation([record], record, record, line)
        elif not isinstance(record, dict) or not isinstance(record.get("paragraphs"), list):
            yield bad_item("an article with `paragraphs`", record, line)
        else:
            for paragraph in record["paragraphs"]:
                yield from _paragraph(paragraph, record, line)


def _fits(record: dict[str, Any]) -> bool:
    return _is_article(record) or _is_row(record)


def _is_article(record: dict[str, Any]) -> bool:
    paragraphs = record.get("paragraphs")
    first = as_dict(paragraphs[0]) if isinstance(paragraphs, list) and paragraphs else {}
    return isinstance(first.get("context"), str) and "qas" in first


def _is_row(record: dict[str, Any]) -> bool:
    return {"context", "question"} <= record.keys() and isinstance(as_dict(record.get("answers")).get("text"), list)


def _paragraph(paragraph: Any, article: dict[str, Any], line: int) -> Iterator[Item]:
    questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
    if not isinstance(questions, list):
        yield bad_item("a paragraph with `context` and `qas`", paragraph, line)
    elif any("followup" in question for question in dicts(questions)):
        yield _conversation(questions, paragraph, article, line)
    else:
        for question in questions:
            yield _conversation([question], paragraph, article, line)


def _conversation(questions: list[Any], paragraph: dict[str, Any], article: dict[str, Any], line: int) -> Item:
    messages: list[Message] = []
    more: list[str] = []
    for question in questions:
        asked = as_text(as_dict(question).get("question"))
        if not asked:
            return bad_item("a question with `question` and `answers`", question, line)
        answers = list(dict.fromkeys(_answers(question)))
        messages.append(Message("question", asked, role="user"))
        messages += [Message("answer", answer, role="system") for answer in answers[:1]]
        more += answers[1:]
    title = as_text(article.get("title")).replace("_", " ")
    return Conversation(
        messages,
        id=id_of((questions[0] if len(questions) == 1 else paragraph).get("id")),
        line=line,
        scenario=text_or_none(paragraph.get("context")),
        domains=[title] if title else [],
        metadata={"answers": more} if more else {},
    )


def _answers(question: dict[str, Any]) -> list[str]:
    answers = question.get("answers")
    texts = answers.get("text") if isinstance(answers, dict) else [answer.get("text") for answer in dicts(answers)]
    if question.get("is_impossible") is True or not isinstance(texts, list):
        return []
    return [text for text in map(as_text, texts) if text.strip() and text != _NO_ANSWER]


FORMAT = Format(
    name="squad",
    title="SQuAD 1.1 and 2.0, SberQuAD, QuAC, JSON",
    rows="dialogues",
    looks=(
        ("train-v2.0.json", '{"data": [{"title": "...", "paragraphs": [{"context": "...", "qas": [...]}]}]}'),
        ("train.jsonl", '{"context": "...", "question": "...", "answers": {"text": ["..."], "answer_start": [1]}}'),
    ),
    checked=(
        "huggingface.co/datasets/rajpurkar/squad_v2; files of SQuAD, PersianQA and QuAC, and their tests, in public "
        "repositories (allenai/allennlp)"
    ),
    recognises=recognises,
    read=read,
    roles="questions are the user's, answers the system's",
)
