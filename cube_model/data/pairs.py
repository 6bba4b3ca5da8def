"""Question -> answer pairs of the `pairs` config: distinct texts, their vectors, and integer rows that point to them.

>>> from cube_model.data.pairs import load_pairs
>>> pairs = load_pairs("my-corpus", "train", context_turns=2)  # a folder or a Hub repository
>>> pairs.questions.shape  # [pairs, 1 + context_turns]: the question, the turn before it, the one before that
(111878, 3)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import read_rows
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa
    from accelerate import Accelerator

    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache


class NoPairsError(ModelError):
    """The split holds no pair of the wanted sources and direction."""


NO_TURN = -1
"""Index in `questions` where the dialogue has no turn so early; its vector is zero."""

COLUMNS = (
    "anchor",
    "positive",
    "anchor_speaker",
    "positive_speaker",
    "context",
    "answer_id",
    "dialogue_id",
    "source",
    "language",
    "license",
)


@dataclass(frozen=True)
class QuestionAnswerPairs:
    """n question -> answer pairs over m distinct texts.

    Attributes:
        texts: The m distinct texts.
        questions: int32 `[n, 1 + context_turns]`, indices in `texts`: the question, then the turns before it, most
            recent first; `NO_TURN` where there is none.
        answers: int32 `[n]`, indices in `texts`.
        labels: int64 `[n]`, equal where `answer_id` is equal: the same answer but for case, punctuation and spacing.
            Equal in other splits too.
        dialogues: int64 `[n]`, one number a dialogue.
        sources, licenses, languages: n strings each.
        fingerprint: sha256 over the rows: equal for equal data.
        negatives: int32 `[n, k]`, indices in `texts`: mined wrong answers of each question; `NO_TURN` where there are
            fewer. None: not asked for.
    """

    texts: list[str]
    questions: np.ndarray
    answers: np.ndarray
    labels: np.ndarray
    dialogues: np.ndarray
    sources: list[str]
    licenses: list[str]
    languages: list[str]
    fingerprint: str
    negatives: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.answers)

    def embed(
        self,
        teacher: Teacher,
        cache: EmbeddingCache,
        *,
        progress: bool = False,
        accelerator: Accelerator | None = None,
    ) -> np.ndarray:
        """Vectors float32 `[m + 1, dimension]`: one a text and a last row of zeros, which `NO_TURN` (-1) points to."""
        vectors = cache.embed(teacher, self.texts, progress=progress, accelerator=accelerator)
        return np.concatenate([vectors, np.zeros((1, teacher.dimension), dtype=np.float32)])

    def select(self, rows: np.ndarray) -> QuestionAnswerPairs:
        """The pairs at `rows` (int `[k]`), over the same texts."""
        return replace(
            self,
            questions=self.questions[rows],
            answers=self.answers[rows],
            labels=self.labels[rows],
            negatives=None if self.negatives is None else self.negatives[rows],
            dialogues=self.dialogues[rows],
            sources=[self.sources[i] for i in rows],
            licenses=[self.licenses[i] for i in rows],
            languages=[self.languages[i] for i in rows],
            fingerprint=hashlib.sha256(
                self.fingerprint.encode() + np.ascontiguousarray(rows, "<i8").tobytes()
            ).hexdigest(),
        )


def load_pairs(
    data: str | os.PathLike[str],
    split: str,
    *,
    sources: Sequence[str] | None = None,
    max_pairs: int | None = None,
    context_turns: int = 0,
    seed: int = 0,
    direction: tuple[str, str] = ("user", "system"),
    hard_negatives: int = 0,
    revision: str | None = None,
) -> QuestionAnswerPairs:
    """Read the pairs of one split.

    Args:
        data: A folder that `dialogue-cube build` made, or a Hub dataset repository.
        split: `"train"`, `"validation"` or `"test"`.
        sources: Names of the corpora to use; all when not given.
        max_pairs: At most so many pairs, a seeded random choice that keeps the order.
        context_turns: Earlier turns to read for each question.
        seed: Of that choice.
        direction: Speakers of anchor and positive; user -> system pairs are the question -> answer pairs.
        hard_negatives: Mined wrong answers to read of each pair, the first so many.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        ModelError: No such dataset, split, column or source; no pair is left; or none holds the negatives asked for.
    """
    columns = (*COLUMNS, "negatives") if hard_negatives else COLUMNS
    table, rows = read_pairs_table(data, split, columns, sources, direction, revision)
    if max_pairs is not None and max_pairs < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, size=max_pairs, replace=False))
    pairs = pairs_of_table(table.take(rows).combine_chunks(), context_turns, hard_negatives)
    if pairs.negatives is not None and (pairs.negatives == NO_TURN).all():
        raise ModelError(f"{data}: no pair of split {split} holds mined negatives; build it with them, or ask for none")
    return pairs


def read_pairs_table(
    data: str | os.PathLike[str],
    split: str,
    columns: Sequence[str],
    sources: Sequence[str] | None,
    direction: tuple[str, str] = ("user", "system"),
    revision: str | None = None,
) -> tuple[pa.Table, np.ndarray]:
    """Columns of one split as a table, and the numbers of the rows of the wanted sources and direction."""
    table = read_rows(data, "pairs", split, columns, revision=revision)
    return table, _rows_of(table, direction, sources, data, split)


def _rows_of(
    table: pa.Table,
    direction: tuple[str, str],
    sources: Sequence[str] | None,
    data: str | os.PathLike[str],
    split: str,
) -> np.ndarray:
    """Numbers of the rows of the wanted direction and sources."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keep = pc.and_(pc.equal(table["anchor_speaker"], direction[0]), pc.equal(table["positive_speaker"], direction[1]))
    if sources is not None:
        there = sorted(pc.unique(table["source"]).to_pylist())
        unknown = sorted(set(sources) - set(there))
        if unknown:
            raise NoPairsError(f"{data}: no source {', '.join(unknown)} in split {split}; there are {', '.join(there)}")
        keep = pc.and_(keep, pc.is_in(table["source"], value_set=pa.array(list(sources), table["source"].type)))
    rows = np.flatnonzero(np.asarray(keep))
    if not len(rows):
        raise NoPairsError(f"{data}: no {direction[0]} -> {direction[1]} pair in split {split}")
    return rows


def pairs_of_table(table: pa.Table, context_turns: int, hard_negatives: int = 0) -> QuestionAnswerPairs:
    """Distinct texts and index arrays of an arrow table; no Python loop over rows but for the text table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    anchors, positives = _flat(table["anchor"]), _flat(table["positive"])
    context = _flat(table["context"])
    starts, ends = np.asarray(context.offsets[:-1]), np.asarray(context.offsets[1:])
    spoken = context.values.field("text")
    turns = []
    for back in range(1, context_turns + 1):
        at = pa.array(ends - back, mask=ends - back < starts)
        turns.append(spoken.take(at))
    wrong = _first_of_lists(table["negatives"], hard_negatives) if hard_negatives else []
    everything = pa.chunked_array([anchors, positives, *turns, *wrong]).cast(pa.large_string())
    encoded = everything.dictionary_encode().combine_chunks()
    indices = pc.fill_null(encoded.indices, NO_TURN).to_numpy(zero_copy_only=False).astype(np.int32)
    columns = indices.reshape(2 + context_turns + hard_negatives, len(table))
    columns, negatives = columns[: 2 + context_turns], columns[2 + context_turns :].T

    digest = hashlib.sha256()
    for column in (anchors, positives, *turns, *wrong, _flat(table["answer_id"]), _flat(table["dialogue_id"])):
        hashes = hashlib.sha256()
        for text in column.to_pylist():
            hashes.update(f"{text}\0".encode("utf-8", "surrogatepass"))
        digest.update(hashes.digest())
    return QuestionAnswerPairs(
        texts=encoded.dictionary.to_pylist(),
        questions=np.ascontiguousarray(np.delete(columns, 1, axis=0).T),
        answers=columns[1],
        labels=string_hashes(table["answer_id"]),
        dialogues=string_hashes(table["dialogue_id"]),
        sources=table["source"].to_pylist(),
        licenses=table["license"].to_pylist(),
        languages=table["language"].to_pylist(),
        fingerprint=digest.hexdigest(),
        # a "negative" that is the answer itself would be pushed away from itself
        negatives=np.where(negatives == columns[1][:, None], NO_TURN, negatives) if hard_negatives else None,
    )


def _first_of_lists(column: pa.ChunkedArray, count: int) -> list[Any]:
    """`count` arrays of `[n]` texts: the first of each list, the second, ...; null where a list is shorter."""
    import pyarrow as pa

    lists = _flat(column)
    starts, ends = np.asarray(lists.offsets[:-1]), np.asarray(lists.offsets[1:])
    return [lists.values.take(pa.array(starts + i, mask=starts + i >= ends)) for i in range(count)]


def _flat(column: pa.ChunkedArray) -> Any:
    """One array of a column, whatever its chunks."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no rows, or one chunk kept as it is
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    return array


def string_hashes(column: pa.ChunkedArray) -> np.ndarray:
    """int64 `[n]`: equal where the strings are equal, over splits and datasets too."""
    encoded = _flat(column).dictionary_encode()
    digests = [
        hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).digest()[:8]
        for text in encoded.dictionary.to_pylist()
    ]
    numbers = np.frombuffer(b"".join(digests), dtype="<i8")
    return numbers[encoded.indices.to_numpy(zero_copy_only=False)]


def joined_turns(pairs: QuestionAnswerPairs, separator: str) -> list[str]:
    """Each question, then its earlier turns, most recent first: what is cut off at the end is what matters least."""
    return [separator.join(pairs.texts[i] for i in turns if i != NO_TURN) for turns in pairs.questions.tolist()]
