"""Questions from a file, answers to a file: `dialogue-cube ask --questions`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cube_model.errors import ModelError
from dataset_builders.common.outputs import file_kind, output_file

if TYPE_CHECKING:
    from cube_model.inference.retriever import CubeRetriever

_AT_ONCE = 512

_ANSWERS = file_kind("JSON lines", b"{", error=ModelError)


class Question(NamedTuple):
    """A user's turn and the turns before it, oldest first."""

    question: str
    context: tuple[str, ...] = ()


def read_questions(file: Path) -> list[Question]:
    """Questions of a text file, one a line, or of a JSONL file (`.jsonl`): `{"question": ..., "context": [...]}`.

    Context turns are texts, or `{"text": ...}` as in the `pairs` config. Empty lines are left out.

    Raises:
        ModelError: The file cannot be read, holds no question, or a line is none; it is named.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ModelError(f"{file}: cannot be read ({reason}); give a text or .jsonl file of questions") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise ModelError(f"{file}: no question in it; write one a line")
    if file.suffix.lower() not in (".jsonl", ".ndjson"):
        return [Question(line) for _, line in numbered]
    return [_from_json(line, f"{file}, line {number}") for number, line in numbered]


def _from_json(line: str, where: str) -> Question:
    try:
        row = json.loads(line)
        context = tuple(turn if isinstance(turn, str) else turn["text"] for turn in row.get("context") or ())
        if row["question"].strip() and all(isinstance(turn, str) for turn in context):
            return Question(row["question"], context)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ModelError(f'{where}: expected {{"question": "text", "context": ["earlier turn", ...]}}')


def answer_questions(retriever: CubeRetriever, questions: list[Question], k: int, output: Path | None) -> None:
    """Write a JSON line for each question: it, its context, and the k best answers.

    Args:
        retriever: Answers them.
        questions: In the order of the lines written.
        k: Answers of each.
        output: File to make, written aside and renamed; None: to standard output, as they come.
    """
    from rich.console import Console
    from rich.progress import track

    starts: Iterable[int] = range(0, len(questions), _AT_ONCE)
    if output is None:
        for start in starts:
            sys.stdout.writelines(_lines(retriever, questions[start : start + _AT_ONCE], k))
            sys.stdout.flush()
        return
    try:
        with output_file(output, _ANSWERS) as aside, aside.open("w", encoding="utf-8") as file:
            for start in track(list(starts), "Answering", console=Console(stderr=True), transient=True):
                file.writelines(_lines(retriever, questions[start : start + _AT_ONCE], k))
    except OSError as error:
        raise ModelError(f"{output}: cannot be written ({error.strerror})") from error


def _lines(retriever: CubeRetriever, questions: list[Question], k: int) -> Iterable[str]:
    found = retriever.ask_many([each.question for each in questions], [each.context for each in questions], k)
    for question, answers in zip(questions, found, strict=True):
        row: dict[str, Any] = {**question._asdict(), "answers": [asdict(answer) for answer in answers]}
        yield json.dumps(row, ensure_ascii=False) + "\n"
