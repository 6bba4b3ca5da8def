"""Ready-made embeddings of questions and answers: arrays in memory or files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.pairs import NO_TURN, QuestionAnswerPairs
from cube_model.data.vector_files import Columns, read_embeddings
from cube_model.data.vector_pairs import EncodedPairs
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.teacher.teacher import Teacher

NAME = "ready-made vectors"
"""Name of the teacher and the source if they are unknown."""


@dataclass(frozen=True)
class ReadyEmbeddings:
    """Embeddings of n pairs, as the user passes them.

    Attributes:
        questions: `[n, 1 + context_turns, dimension]`: the question, then the turns before it, most recent first, zeros
            where there is none.
        answers: `[n, dimension]`.
        question_texts, answer_texts: n texts; None if they are unknown.
        dialogues: n dialogue ids; None makes every pair a dialogue of its own.

    Raises:
        ModelError: The shapes of the arrays do not match, or a list is not n long.
    """

    questions: np.ndarray
    answers: np.ndarray
    question_texts: Sequence[str] | None = None
    answer_texts: Sequence[str] | None = None
    dialogues: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        n, dimension = len(self.questions), self.questions.shape[-1]
        if self.questions.ndim != 3 or self.answers.shape != (n, dimension):
            raise ModelError(
                f"questions {list(self.questions.shape)} and answers {list(self.answers.shape)}: expected [n, d] or "
                "[n, 1 + context_turns, d] and [n, d], with the same n and d"
            )
        for name in ("question_texts", "answer_texts", "dialogues"):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise ModelError(f"{name}: {len(values):,} values for {n:,} pairs")


def ready_embeddings(
    questions: Any,
    answers: Any = None,
    *,
    question_column: str | None = None,
    answer_column: str | None = None,
    question_texts: Sequence[str] | None = None,
    answer_texts: Sequence[str] | None = None,
    dialogues: Sequence[Any] | None = None,
) -> ReadyEmbeddings:
    """Read the embeddings of questions and answers from arrays or files.

    Args:
        questions: Array or tensor `[n, dimension]` or `[n, 1 + context_turns, dimension]`, or a file. A file of both
            questions and answers has arrays or columns named `question_embedding` and `answer_embedding` (or
            `questions`, `answers`, `anchor`, `positive`, ...), and optional text columns `question`, `answer` and
            `dialogue_id`; as .npy it is `[n, 2, dimension]`.
        answers: Array or tensor `[n, dimension]`, or a file. Default: those in the file of `questions`.
        question_column: Name of the questions' embeddings in the file. Default: an accepted name, as above.
        answer_column: Name of the answers' embeddings in the file. Default: an accepted name, as above.
        question_texts: n texts of the questions.
        answer_texts: n texts of the answers.
        dialogues: n dialogue ids; the pairs of a dialogue are held out together.

    Raises:
        ModelError: A file cannot be read, or the shapes of the arrays do not match.
    """
    question_file = _columns(questions, "questions")
    answer_file = question_file if answers is None else _columns(answers, "answers")
    if answers is None and question_file.single is not None:
        pairs = question_file.single
        if pairs.ndim != 3 or pairs.shape[1] != 2:
            raise ModelError(f"{question_file.name}: {list(pairs.shape)}: expected [n, 2, d], or pass the answers too")
        question_vectors, answer_vectors = pairs[:, 0], pairs[:, 1]
    else:
        question_vectors = question_file.vectors("question", question_column)
        answer_vectors = answer_file.vectors("answer", answer_column)
    return ReadyEmbeddings(
        question_vectors[:, None] if question_vectors.ndim == 2 else question_vectors,
        answer_vectors,
        question_texts if question_texts is not None else question_file.texts("question"),
        answer_texts if answer_texts is not None else answer_file.texts("answer"),
        dialogues if dialogues is not None else question_file.texts("dialogue"),
    )


def ready_vectors(vectors: Any, column: str | None = None) -> ReadyEmbeddings:
    """Read embeddings that are both question and answer from an array or a file.

    Args:
        vectors: Array or tensor `[n, dimension]`, or a file.
        column: Name of the array or column in the file; required if the file holds several.

    Raises:
        ModelError: The file cannot be read, or the array is not `[n, dimension]`.
    """
    columns = _columns(vectors, "vectors")
    array = columns.vectors("vector", column)
    if array.ndim != 2:
        raise ModelError(f"{columns.name}: {list(array.shape)}: expected [n, d]")
    texts = columns.texts("vector")
    return ReadyEmbeddings(array[:, None], array, texts, texts)


def distinct_vectors(columns: Sequence[np.ndarray], normalize: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Collect the distinct rows of several arrays in one table.

    Args:
        columns: k arrays `[n, dimension]`.
        normalize: Scale each row of the table to norm 1.

    Returns:
        The table, float32 `[m + 1, dimension]`, with a last row of zeros; the row of each vector in the table, int32
        `[n, k]`, `NO_TURN` for a vector of zeros; hashes, int64 `[n, k]`, equal for equal vectors.

    Raises:
        ModelError: A value is not finite.
    """
    n, dimension = columns[0].shape
    hashes = np.stack([_hashes(column) for column in columns])
    distinct, first, rows = np.unique(hashes, return_index=True, return_inverse=True)
    table = np.zeros((len(distinct) + 1, dimension), dtype=np.float32)
    for number, column in enumerate(columns):
        from_column = np.flatnonzero(first // n == number)
        table[from_column] = column[first[from_column] % n]
    if not (finite := np.isfinite(table).all(axis=1)).all():
        bad = int(first[np.flatnonzero(~finite)[0]] % n)
        raise ModelError(f"{NAME}: row {bad} (from 0) has a value that is not finite; repair or remove it")
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    if normalize:
        np.divide(table, norms, out=table, where=norms > 0)
    rows = rows.reshape(hashes.shape)
    return table, np.where(norms[rows, 0] > 0, rows, NO_TURN).T.astype(np.int32), hashes.T


def encode_ready(
    ready: ReadyEmbeddings, teacher: Teacher | dict[str, Any] | None = None, normalize: bool = True
) -> EncodedPairs:
    """Convert ready-made embeddings to pairs over a table of distinct embeddings.

    Pairs whose question or answer is a vector of zeros are dropped.

    Args:
        ready: Embeddings of n pairs.
        teacher: Teacher that made the embeddings.
        normalize: Scale each embedding to norm 1.

    Raises:
        ModelError: A value is not finite, or the teacher's embeddings have another dimension.
    """
    columns = [*np.moveaxis(ready.questions, 1, 0), ready.answers]
    table, rows, hashes = distinct_vectors(columns, normalize)
    texts = _texts(rows, len(table) - 1, [ready.question_texts, *[None] * (len(columns) - 2), ready.answer_texts])
    dialogues = np.arange(len(rows)) if ready.dialogues is None else _codes(ready.dialogues)
    digest = hashlib.sha256(np.ascontiguousarray(hashes, "<i8").tobytes() + dialogues.astype("<i8").tobytes())
    pairs = QuestionAnswerPairs(
        texts=texts,
        questions=np.ascontiguousarray(rows[:, :-1]),
        answers=np.ascontiguousarray(rows[:, -1]),
        labels=np.ascontiguousarray(hashes[:, -1]),
        dialogues=dialogues,
        sources=[NAME] * len(rows),
        licenses=["LicenseRef-private"] * len(rows),
        languages=["und"] * len(rows),
        fingerprint=digest.hexdigest(),
    )
    keys = np.unique(hashes[:, [0, -1]], axis=0, return_inverse=True)[1].reshape(-1)
    held_out = np.zeros(len(rows), dtype=bool)
    description = _description(teacher, digest.hexdigest(), table.shape[1])
    encoded = EncodedPairs(pairs, table, description, keys, held_out, read=len(rows))
    empty = (rows[:, 0] == NO_TURN) | (rows[:, -1] == NO_TURN)
    encoded.dropped["question or answer is a vector of zeros"] = int(empty.sum())
    return encoded.select(np.flatnonzero(~empty)) if empty.any() else encoded


def _description(teacher: Teacher | dict[str, Any] | None, digest: str, dimension: int) -> dict[str, Any]:
    if teacher is None:  # a fingerprint that matches no teacher
        return {"name": NAME, "fingerprint": f"unknown-{digest}", "dimension": dimension}
    description = teacher if isinstance(teacher, dict) else teacher.describe()
    if description.get("dimension", dimension) != dimension:
        raise ModelError(
            f"the ready-made vectors have {dimension} dimensions, but those of teacher {description.get('name')} have "
            f"{description['dimension']}: pass the teacher that made them"
        )
    return {**description, "dimension": dimension}


def _texts(rows: np.ndarray, count: int, columns: Sequence[Sequence[str] | None]) -> list[str]:
    """The text of each of `count` distinct vectors; empty if it is unknown."""
    texts = [""] * count
    for column_rows, column_texts in zip(rows.T.tolist(), columns, strict=True):
        for row, text in zip(column_rows, column_texts or (), strict=False):
            if row != NO_TURN and not texts[row]:
                texts[row] = str(text)
    return texts


def _columns(source: Any, name: str) -> Columns:
    """The columns of a file, or an array or tensor as the only column."""
    if isinstance(source, str | os.PathLike):
        return read_embeddings(Path(source).expanduser())
    if hasattr(source, "detach"):  # a torch tensor, converted here as numpy has no bfloat16
        source = source.detach().cpu().float().numpy()
    try:
        array = np.asarray(source, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name}: expected vectors of equal dimension or a file of them ({error})") from error
    return Columns.of_array(name, array)


def _hashes(vectors: np.ndarray) -> np.ndarray:
    """int64 `[n]`: 64-bit BLAKE2b hash of each row's float32 bytes, with -0 as 0."""
    rows = (np.ascontiguousarray(row, "<f4") + np.float32(0) for row in vectors)
    joined = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(joined, "<i8").astype(np.int64)


def _codes(values: Sequence[Any]) -> np.ndarray:
    numbers: dict[Any, int] = {}
    return np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), np.int64, count=len(values))
