"""A log of the questions that an assistant could not answer: opt-in, a local file, never pushed.

Each line is a JSON object: `{"time": "2026-01-31T12:00:00+00:00", "question": ..., "confidence": 0.12, "topics": [...],
"nearest": "the best question that has an answer"}`.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from dataset_builders.common.outputs import OutputKind, output_file
from dataset_builders.common.reading import is_text, regular, text_lines
from dataset_builders.common.spreadsheets import as_cell, of_cell

if TYPE_CHECKING:
    from cube_model.assistant.reply import Reply

SAME = 0.8
"""Cosine from which two questions are shown as one."""

_LARGEST = 10_000
"""Questions that are reviewed at once; of more, the newest."""

_LONGEST_LINE = 1 << 20
"""Bytes of a line that are read: a question has at most 20,000 characters."""

_HEAD = "question,answer,count,similar,nearest,last"
_KEYS = frozenset({"question", "answer", "count", "similar", "last"})
_KIND = OutputKind(
    "`dialogue-cube assistant review`",
    "--out",
    lambda file: not file.stat().st_size or _pairs_of(file) is not None,
    error=ModelError,
)


@dataclass(frozen=True)
class UnansweredQuestion:
    """Similar questions that were not answered.

    Attributes:
        question: The one that is nearest to the others.
        count: How often one of them was asked.
        others: The others, at most five.
        nearest: The nearest question that has an answer.
        last: When one of them was asked last, ISO 8601.
        answer: The right answer, if somebody has marked one.
    """

    question: str
    count: int
    others: list[str]
    nearest: str
    last: str
    answer: str = ""


def log_unanswered(file: Path, question: str, reply: Reply) -> None:
    """Append a question to the log; several processes may do so at the same time.

    Raises:
        ModelError: The file cannot be written.
    """
    row = {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "question": question,
        "confidence": round(reply.confidence, 4),
        "topics": [topic.name for topic in reply.topics],
        "nearest": reply.answers[0].question if reply.answers else "",
    }
    line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")
    try:  # one write to a file that is opened for appending: lines of several processes do not mix
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
    except OSError as error:
        raise ModelError(f"{file}: the log of unanswered questions cannot be written ({error.strerror})") from error


def check_log(file: Path) -> None:
    """Check that questions may be appended to a file: that it is a log, empty, or not there yet.

    Raises:
        ModelError: It is something else.
    """
    if not file.exists() or (file.is_file() and not file.stat().st_size):
        return
    try:
        with regular(file).open("rb") as stream:
            first = json.loads(stream.readline(_LONGEST_LINE))
        is_log = {"time", "question", "confidence"} <= first.keys()
    except (OSError, ValueError, AttributeError, RecursionError):
        is_log = False
    if not is_log:
        raise ModelError(f"{file}: exists and is no log of unanswered questions; name another file")


def read_log(file: Path) -> list[dict[str, Any]]:
    """Read the newest rows of a log; a line that a kill has cut or that is no text is left out.

    Raises:
        ModelError: The file cannot be read, or is not a log.
    """
    rows: deque[dict[str, Any]] = deque(maxlen=_LARGEST)
    is_empty = True
    try:
        with regular(file).open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE):  # a log may be larger than the memory
                is_empty = False
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    row = json.loads(line)
                    if isinstance(row["question"], str) and row["question"].strip() and is_text(row["question"]):
                        rows.append(row)
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); `reply --unanswered FILE` writes one") from error
    if not rows and not is_empty:
        raise ModelError(f"{file}: not a log of unanswered questions; `reply --unanswered FILE` writes one")
    return list(rows)


def group_questions(
    rows: Sequence[dict[str, Any]], encode: Callable[[list[str]], np.ndarray]
) -> list[UnansweredQuestion]:
    """Group similar questions, the most frequent first.

    Args:
        rows: Rows of `read_log`.
        encode: Function of n texts that returns float32 `[n, dimension]`, of length 1.
    """
    texts = list(dict.fromkeys(row["question"] for row in rows))
    if not texts:
        return []
    counts = dict.fromkeys(texts, 0)
    for row in rows:
        counts[row["question"]] += 1
    vectors = encode(texts)
    free = np.ones(len(texts), bool)
    last = {row["question"]: row for row in rows}
    groups = []
    weight = np.array([counts[text] for text in texts])
    reach = np.array([float(weight[vectors @ vector >= SAME].sum()) for vector in vectors])
    for start in np.argsort(-reach, kind="stable"):
        if not free[start]:
            continue
        members = np.flatnonzero(free & (vectors @ vectors[start] >= SAME))
        members = np.unique(np.append(members, start))
        free[members] = False
        asked = [texts[row] for row in members]
        newest = max(asked, key=lambda text: str(last[text].get("time", "")))
        others = [text for text in asked if text != texts[start]][:5]
        groups.append(
            UnansweredQuestion(
                texts[start],
                int(weight[members].sum()),
                others,
                str(last[texts[start]].get("nearest", "")),
                str(last[newest].get("time", "")),
            )
        )
    return sorted(groups, key=lambda group: -group.count)


def write_review(groups: Sequence[UnansweredQuestion], file: Path) -> None:
    """Write questions for labelling: CSV with a column `answer` to fill in, or JSON lines if the name is `*.jsonl`.

    `dialogue-cube assistant add` reads the file once answers are filled in, and leaves out rows without one.

    Raises:
        ModelError: The file exists and is something else, or a review that has answers by now.
    """
    if answered := _pairs_of(file):
        raise ModelError(
            f"{file}: has answers by now ({len(answered):,}); add them with `dialogue-cube assistant "
            f"add {file}`, or choose another --out"
        )
    rows = [
        {
            "question": group.question,
            "answer": group.answer,
            "count": group.count,
            "similar": " | ".join(group.others),
            "nearest": group.nearest,
            "last": group.last,
        }
        for group in groups
    ]
    with output_file(file, _KIND) as path, path.open("w", encoding="utf-8", newline="") as stream:
        if file.suffix in (".jsonl", ".ndjson"):
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        table = csv.DictWriter(stream, ["question", "answer", "count", "similar", "nearest", "last"])
        table.writeheader()
        # whoever may ask the assistant has written the questions
        table.writerows({name: as_cell(value) for name, value in row.items()} for row in rows)


def answered_rows(file: Path) -> list[tuple[str, str]] | None:
    """Read the pairs of a review that has answers now; None if the file is no review.

    Raises:
        ModelError: No row of the review has an answer.
    """
    pairs = _pairs_of(file)
    if pairs == []:
        raise ModelError(f"{file}: no row has an answer yet; fill in the column `answer`")
    return pairs


def _pairs_of(file: Path) -> list[tuple[str, str]] | None:
    """The questions of a review that have an answer; None if the file is no review."""
    try:
        with file.open("rb") as stream:  # the data of a user may be larger than the memory
            first = stream.readline(_LONGEST_LINE).removeprefix(b"\xef\xbb\xbf")
        if not first.startswith((_HEAD.encode(), b"{")):
            return None
        if first.startswith(b"{") and not json.loads(first).keys() >= _KEYS:
            return None
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError, RecursionError):
        return None
    rows: list[dict[str, Any]]
    try:
        if text.startswith(_HEAD):
            # not by line: U+2028 in a question ends none
            rows = [
                row | {name: of_cell(row[name] or "") for name in ("question", "answer")}
                for row in csv.DictReader(io.StringIO(text, newline=""))
            ]
        else:
            rows = [json.loads(line) for line in text_lines(text) if line.strip()]
            if not all(row.keys() >= _KEYS for row in rows):
                return None
        pairs = [(row["question"] or "", row["answer"] or "") for row in rows]
        return [(question, answer) for question, answer in pairs if question.strip() and answer.strip()]
    except (csv.Error, ValueError, AttributeError, RecursionError):
        return None
