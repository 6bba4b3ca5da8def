"""Questions whose answers somebody judged in the dashboard, as rows of a review.

A question whose answer was wrong is one that the assistant could not answer: it is reviewed like those of the log. One
whose answer was right comes with this answer, so that `dialogue-cube assistant add` learns the new wording.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.assistant.published import live_entries
from cube_model.assistant.unanswered import UnansweredQuestion
from cube_model.errors import ModelError
from dataset_builders.common.decisions import read_judgements, text_digest
from dataset_builders.common.errors import DataError

if TYPE_CHECKING:
    import os


@dataclass(frozen=True)
class JudgedQuestions:
    """What a file of decisions says about the answers of an assistant.

    Attributes:
        wrong: Rows as `read_log` returns them: the questions that have no right answer.
        right: The questions that have one, with it; those that the assistant has word for word are left out.
        stale: Number of judgements about answers that the assistant no longer has.
    """

    wrong: list[dict[str, Any]]
    right: list[UnansweredQuestion]
    stale: int


def judged_questions(file: Path, assistant: str | os.PathLike[str]) -> JudgedQuestions:
    """Read the judgements about the answers of an assistant.

    Args:
        file: File of decisions, as `dialogue-cube dashboard --annotate` writes it.
        assistant: Folder of the assistant.

    Raises:
        ModelError: The file cannot be read or is no file of decisions, or the folder is no assistant.
    """
    try:
        judgements = read_judgements(file)
    except DataError as error:
        raise ModelError(str(error)) from error
    table, _ = live_entries(Path(assistant))
    entries = {row["id"]: row for row in table.select(["id", "question", "answer"]).to_pylist()}
    wrong: dict[str, dict[str, Any]] = {}
    right: dict[str, UnansweredQuestion] = {}
    stale = 0
    for judgement in judgements:
        entry = entries.get(judgement.id)
        if entry is None or judgement.text not in ("", text_digest(entry["answer"])):
            stale += 1
            continue
        question, nearest = judgement.question, entry["question"]
        if judgement.decision == "wrong_answer":
            wrong[question] = {"time": judgement.at, "question": question, "nearest": nearest}
        else:
            right[question] = UnansweredQuestion(question, 1, [], nearest, judgement.at, entry["answer"])
    questions = {entry["question"] for entry in entries.values()}
    return JudgedQuestions(
        [row for question, row in wrong.items() if question not in right],
        [row for question, row in right.items() if question not in questions],
        stale,
    )
