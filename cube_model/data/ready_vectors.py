"""Ready-made vectors of questions and answers: arrays in memory, or .npy, .npz, .safetensors and .parquet files."""

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
"""Stands for the teacher and the source where nothing is known of them."""


@dataclass(frozen=True)
class ReadyEmbeddings:
    """Vectors of n pairs as they were given.

    Attributes:
        questions: `[n, 1 + context_turns, dimension]`, the question, then the turns before it, most recent first; rows
            of zeros where there is none.
        answers: `[n, dimension]`.
        question_texts, answer_texts: n texts, or nothing where they are not known.
        dialogues: n ids, or nothing: then every pair is a dialogue of its own.
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
    """Vectors of questions and answers from arrays or files.

    Args:
        questions: Array or tensor `[n, d]` or `[n, 1 + context_turns, d]`, or a file. A file that holds both sides has
            arrays or columns called `question_embedding` and `answer_embedding` (or `questions`, `answers`, `anchor`,
            `positive`, ...), and may have columns of text `question`, `answer` and `dialogue_id`; an .npy file that
            holds both is `[n, 2, d]`.
        answers: Array or tensor `[n, d]`, or a file.
        question_column: Name of the questions' vectors in the file, where it is not a known one.
        answer_column: Of the answers'.
        question_texts: What the vectors stand for, n texts.
        answer_texts: Likewise.
        dialogues: n ids; pairs of one dialogue are held out together.

    Raises:
        ModelError: A file cannot be read, or the arrays do not fit each other.
    """
    first = _columns(questions, "questions")
    second = first if answers is None else _columns(answers, "answers")
    if answers is None and first.single is not None:
        both = first.single
        if both.ndim != 3 or both.shape[1] != 2:
            raise ModelError(f"{first.name}: {list(both.shape)}: expected [n, 2, d], or give the answers too")
        asked, answered = both[:, 0], both[:, 1]
    else:
        asked, answered = first.vectors("question", question_column), second.vectors("answer", answer_column)
    return ReadyEmbeddings(
        asked[:, None] if asked.ndim == 2 else asked,
        answered,
        question_texts if question_texts is not None else first.texts("question"),
        answer_texts if answer_texts is not None else second.texts("answer"),
        dialogues if dialogues is not None else first.texts("dialogue"),
    )


def ready_vectors(vectors: Any, column: str | None = None) -> ReadyEmbeddings:
    """Vectors that are their own answers, from an array or a file.

    Args:
        vectors: Array or tensor `[n, d]`, or a file.
        column: Name in the file, where it holds several.

    Raises:
        ModelError: The file cannot be read, or it is not `[n, d]`.
    """
    columns = _columns(vectors, "vectors")
    found = columns.vectors("vector", column)
    if found.ndim != 2:
        raise ModelError(f"{columns.name}: {list(found.shape)}: expected [n, d]")
    texts = columns.texts("vector")
    return ReadyEmbeddings(found[:, None], found, texts, texts)


def distinct_vectors(sides: Sequence[np.ndarray], normalize: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each distinct vector once.

    Args:
        sides: Arrays `[n, dimension]`, all of one shape.
        normalize: Scale each vector to length 1.

    Returns:
        float32 `[m + 1, dimension]` with a last row of zeros; int32 `[n, sides]` rows of it, `NO_TURN` for a vector of
        zeros; int64 `[n, sides]` hashes, equal for equal vectors.

    Raises:
        ModelError: A value is not finite.
    """
    n, dimension = sides[0].shape
    hashes = np.stack([_hashes(side) for side in sides])
    distinct, first, rows = np.unique(hashes, return_index=True, return_inverse=True)
    table = np.zeros((len(distinct) + 1, dimension), dtype=np.float32)
    for number, side in enumerate(sides):
        mine = np.flatnonzero(first // n == number)
        table[mine] = side[first[mine] % n]
    if not (finite := np.isfinite(table).all(axis=1)).all():
        bad = int(first[np.flatnonzero(~finite)[0]] % n)
        raise ModelError(f"{NAME}: row {bad} (from 0) holds a value that is not finite; repair or remove it")
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    if normalize:
        np.divide(table, lengths, out=table, where=lengths > 0)
    rows = rows.reshape(hashes.shape)
    return table, np.where(lengths[rows, 0] > 0, rows, NO_TURN).T.astype(np.int32), hashes.T


def encode_ready(
    ready: ReadyEmbeddings, teacher: Teacher | dict[str, Any] | None = None, normalize: bool = True
) -> EncodedPairs:
    """Ready-made vectors as pairs over a table of distinct vectors.

    Args:
        ready: What was given.
        teacher: What made the vectors.
        normalize: Scale each vector to length 1.

    Raises:
        ModelError: A value is not finite, or the teacher gives vectors of another length.
    """
    sides = [*np.moveaxis(ready.questions, 1, 0), ready.answers]
    table, rows, hashes = distinct_vectors(sides, normalize)
    texts = _texts(rows, len(table) - 1, [ready.question_texts, *[None] * (len(sides) - 2), ready.answer_texts])
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
    none = np.zeros(len(rows), dtype=bool)
    made_by = _description(teacher, digest.hexdigest(), table.shape[1])
    encoded = EncodedPairs(pairs, table, made_by, keys, none, read=len(rows))
    empty = (rows[:, 0] == NO_TURN) | (rows[:, -1] == NO_TURN)
    encoded.dropped["question or answer is a vector of zeros"] = int(empty.sum())
    return encoded.select(np.flatnonzero(~empty)) if empty.any() else encoded


def _description(teacher: Teacher | dict[str, Any] | None, digest: str, dimension: int) -> dict[str, Any]:
    if teacher is None:  # a fingerprint that no teacher has: nothing can be taken for it
        return {"name": NAME, "fingerprint": f"unknown-{digest}", "dimension": dimension}
    known = teacher if isinstance(teacher, dict) else teacher.describe()
    if known.get("dimension", dimension) != dimension:
        raise ModelError(f"teacher {known.get('name')} gives vectors of {known['dimension']}, these have {dimension}")
    return {**known, "dimension": dimension}


def _texts(rows: np.ndarray, size: int, sides: Sequence[Sequence[str] | None]) -> list[str]:
    """The text of each distinct vector; an empty one where it is not known."""
    texts = [""] * size
    for column, given in zip(rows.T.tolist(), sides, strict=True):
        for row, text in zip(column, given or (), strict=False):
            if row != NO_TURN and not texts[row]:
                texts[row] = str(text)
    return texts


def _columns(given: Any, name: str) -> Columns:
    if isinstance(given, str | os.PathLike):
        return read_embeddings(Path(given).expanduser())
    if hasattr(given, "detach"):  # a torch tensor, perhaps bfloat16, which numpy does not have
        given = given.detach().cpu().float().numpy()
    try:
        array = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name}: expected vectors of equal length or a file of them ({error})") from error
    return Columns.of_array(name, array)


def _hashes(vectors: np.ndarray) -> np.ndarray:
    """int64 `[n]`: 64-bit BLAKE2b of each row's float32 bytes; -0 counts as 0."""
    rows = (np.ascontiguousarray(row, "<f4") + np.float32(0) for row in vectors)
    joined = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(joined, "<i8").astype(np.int64)


def _codes(values: Sequence[Any]) -> np.ndarray:
    numbers: dict[Any, int] = {}
    return np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), np.int64, count=len(values))
