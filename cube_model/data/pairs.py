"""Question -> answer pairs of the `pairs` config, as indices of distinct texts.

>>> from cube_model.data.pairs import load_pairs
>>> pairs = load_pairs("my-corpus", "train", context_turns=2)  # a folder or a Hub repository
>>> pairs.questions.shape  # [pairs, 1 + context_turns]
(111878, 3)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import MissingColumnsError, read_rows
from cube_model.data.selection import NoPairsError as NoPairsError
from cube_model.data.selection import check_selection, chosen_rows, selected_rows
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa
    from accelerate import Accelerator

    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache


NO_TURN = -1
"""Index of a missing turn, before the start of the dialogue; its embedding is zero."""

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

CLUSTER = "cluster_id"
"""Column that is read where it exists: equal for near-duplicate dialogues."""


@dataclass(frozen=True)
class QuestionAnswerPairs:
    """n question -> answer pairs, as indices of m distinct texts.

    Attributes:
        texts: m distinct texts.
        questions: int32 `[n, 1 + context_turns]`, indices of `texts`: the question, then the turns before it, most
            recent first, `NO_TURN` where there is none.
        answers: int32 `[n]`, indices of `texts`.
        labels: int64 `[n]`, equal where `answer_id` is equal, that is for answers that differ in case, punctuation and
            spacing only. Comparable across splits.
        dialogues: int64 `[n]`, a number per dialogue.
        sources, licenses, languages: n strings each.
        fingerprint: SHA-256 of the rows: equal for equal data.
        negatives: int32 `[n, k]`, indices of `texts`: mined wrong answers to each question, `NO_TURN` where there are
            fewer. None if they were not requested.
        clusters: int64 `[n]`, equal for pairs of near-duplicate dialogues. None if the data does not tell.
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
    clusters: np.ndarray | None = None

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
        """Encode the texts.

        Args:
            teacher: Encoder of the texts.
            cache: Embedding cache to read from and write to.
            progress: Show a progress bar.
            accelerator: Divide the texts among the processes of this launch.

        Returns:
            float32 `[m + 1, dimension]`: an embedding per text and a last row of zeros, to which `NO_TURN` (-1) points.
        """
        vectors = cache.embed(teacher, self.texts, progress=progress, accelerator=accelerator)
        return np.concatenate([vectors, np.zeros((1, teacher.dimension), dtype=np.float32)])

    def select(self, rows: np.ndarray) -> QuestionAnswerPairs:
        """Return the pairs at `rows` (int `[k]`) only, over the same texts."""
        return replace(
            self,
            questions=self.questions[rows],
            answers=self.answers[rows],
            labels=self.labels[rows],
            negatives=None if self.negatives is None else self.negatives[rows],
            dialogues=self.dialogues[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
            sources=[self.sources[i] for i in rows],
            licenses=[self.licenses[i] for i in rows],
            languages=[self.languages[i] for i in rows],
            fingerprint=hashlib.sha256(
                self.fingerprint.encode() + np.ascontiguousarray(rows, "<i8").tobytes()
            ).hexdigest(),
        )

    def extended(self, other: QuestionAnswerPairs, offset: int) -> QuestionAnswerPairs:
        """Return these pairs and then those of `other`, with as many turns.

        Args:
            other: Further pairs.
            offset: What to add to the indices of `other`: 0 if both have the same texts, else `len(self.texts)`.
        """

        def shifted(index: np.ndarray) -> np.ndarray:
            return np.where(index == NO_TURN, NO_TURN, index + offset).astype(index.dtype)

        negatives = None
        if self.negatives is not None:
            missing = np.full((len(other), self.negatives.shape[1]), NO_TURN, self.negatives.dtype)
            negatives = np.concatenate([self.negatives, missing])
        clustered = self.clusters is not None and other.clusters is not None
        return replace(
            self,
            texts=[*self.texts, *other.texts] if offset else self.texts,
            questions=np.concatenate([self.questions, shifted(other.questions)]),
            answers=np.concatenate([self.answers, shifted(other.answers)]),
            labels=np.concatenate([self.labels, other.labels]),
            dialogues=np.concatenate([self.dialogues, other.dialogues]),
            sources=[*self.sources, *other.sources],
            licenses=[*self.licenses, *other.licenses],
            languages=[*self.languages, *other.languages],
            fingerprint=hashlib.sha256(f"{self.fingerprint} {other.fingerprint}".encode()).hexdigest(),
            negatives=negatives,
            clusters=np.concatenate([self.clusters, other.clusters]) if clustered else None,
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
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        split: `"train"`, `"validation"` or `"test"`.
        sources: Names of the sources to read. Default: all.
        max_pairs: Maximum number of pairs; more are sampled at random, in their order. Default: no limit.
        context_turns: Number of turns before each question to include.
        seed: Random seed of the sample.
        direction: Speakers of anchor and positive; user -> system pairs are the question -> answer pairs.
        hard_negatives: Number of mined wrong answers per pair to include.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        ModelError: The dataset, split, a column or a source does not exist; no pair is left; or no pair has mined
            negatives although some are requested.
    """
    columns = (*COLUMNS, "negatives") if hard_negatives else COLUMNS
    try:
        table, rows = read_pairs_table(data, split, (*columns, CLUSTER), sources, direction, revision)
    except MissingColumnsError as error:
        if error.columns != [CLUSTER]:
            raise
        table, rows = read_pairs_table(data, split, columns, sources, direction, revision)
    table = table.take(chosen_rows(rows, max_pairs, seed))
    pairs = pairs_of_table(table.combine_chunks(), context_turns, hard_negatives)
    if pairs.negatives is not None and (pairs.negatives == NO_TURN).all():
        raise no_negatives(data, split)
    return pairs


def no_negatives(data: str | os.PathLike[str], split: str) -> ModelError:
    """Make the error of a split without mined negatives."""
    return ModelError(
        f"{data}: no pair of split {split} has mined negatives; build the dataset with --hard-negatives, or set "
        "hard_negatives to 0"
    )


def read_pairs_table(
    data: str | os.PathLike[str],
    split: str,
    columns: Sequence[str],
    sources: Sequence[str] | None,
    direction: tuple[str, str] = ("user", "system"),
    revision: str | None = None,
) -> tuple[pa.Table, np.ndarray]:
    """Read columns of one split, and select the rows of some sources and one direction.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        split: `"train"`, `"validation"` or `"test"`.
        columns: Names of the columns to read.
        sources: Names of the sources to select. Default: all.
        direction: Speakers of anchor and positive.
        revision: Branch, tag or commit of a Hub repository.

    Returns:
        Table of all rows, and the indices of the selected rows.

    Raises:
        NoPairsError: A source is not in the split, or no row is selected.
        ModelError: The dataset, split or a column does not exist.
    """
    import pyarrow.compute as pc

    table = read_rows(data, "pairs", split, columns, revision=revision)
    rows = np.flatnonzero(selected_rows(table, sources, direction))
    available = pc.unique(table["source"]).to_pylist() if sources is not None else []
    check_selection(data, split, len(rows), sources, available, direction)
    return table, rows


def pairs_of_table(table: pa.Table, context_turns: int, hard_negatives: int = 0) -> QuestionAnswerPairs:
    """Convert rows of the `pairs` config to indices of distinct texts, without a Python loop over the rows.

    Args:
        table: Rows with the columns `COLUMNS`, `negatives` if some are requested, and `CLUSTER` if it exists.
        context_turns: Number of turns before each question to include.
        hard_negatives: Number of mined wrong answers per pair to include.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns_of_texts = _columns_of_texts(table, context_turns, hard_negatives)
    texts = pa.chunked_array(columns_of_texts).cast(pa.large_string())
    encoded = texts.dictionary_encode().combine_chunks()
    indices = pc.fill_null(encoded.indices, NO_TURN).to_numpy(zero_copy_only=False).astype(np.int32)
    columns = indices.reshape(2 + context_turns + hard_negatives, len(table))
    columns, negatives = columns[: 2 + context_turns], columns[2 + context_turns :].T

    digest = RowsDigest(context_turns, hard_negatives)
    digest.update(table, columns_of_texts)
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
        # training would push an answer away from itself if it were among its own negatives
        negatives=np.where(negatives == columns[1][:, None], NO_TURN, negatives) if hard_negatives else None,
        clusters=string_hashes(pc.coalesce(table[CLUSTER], table["dialogue_id"]))
        if CLUSTER in table.column_names
        else None,
    )


class RowsDigest:
    """SHA-256 of rows of the `pairs` config, which may come in parts: the `fingerprint` of all of them together.

    Args:
        context_turns: Number of turns before each question that count.
        hard_negatives: Number of mined wrong answers that count.
    """

    def __init__(self, context_turns: int, hard_negatives: int = 0) -> None:
        self._context_turns, self._hard_negatives = context_turns, hard_negatives
        self._columns = [hashlib.sha256() for _ in range(4 + context_turns + hard_negatives)]

    def update(self, table: pa.Table, columns_of_texts: Sequence[Any] | None = None) -> None:
        """Add the next rows; `columns_of_texts` are their `_columns_of_texts`, if these are there already."""
        texts = columns_of_texts or _columns_of_texts(table, self._context_turns, self._hard_negatives)
        columns = (*texts, _flat(table["answer_id"]), _flat(table["dialogue_id"]))
        for digest, column in zip(self._columns, columns, strict=True):
            for text in column.to_pylist():
                digest.update(f"{text}\0".encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        """Return the digest of the rows so far."""
        return hashlib.sha256(b"".join(digest.digest() for digest in self._columns)).hexdigest()


def _columns_of_texts(table: pa.Table, context_turns: int, hard_negatives: int) -> list[Any]:
    """Arrays of n texts each: anchors, positives, earlier turns by distance, negatives; null where there are fewer."""
    import pyarrow as pa

    context = _flat(table["context"])
    starts, ends = np.asarray(context.offsets[:-1]), np.asarray(context.offsets[1:])
    texts = context.values.field("text")
    backs = range(1, context_turns + 1)
    turns = [texts.take(pa.array(ends - back, mask=ends - back < starts)) for back in backs]
    wrong = _first_of_lists(table["negatives"], hard_negatives) if hard_negatives else []
    return [_flat(table["anchor"]), _flat(table["positive"]), *turns, *wrong]


def _first_of_lists(column: pa.ChunkedArray, count: int) -> list[Any]:
    """`count` arrays `[n]`: the first text of each list, the second, ...; null where a list is shorter."""
    import pyarrow as pa

    lists = _flat(column)
    starts, ends = np.asarray(lists.offsets[:-1]), np.asarray(lists.offsets[1:])
    return [lists.values.take(pa.array(starts + i, mask=starts + i >= ends)) for i in range(count)]


def _flat(column: pa.ChunkedArray) -> Any:
    """The chunks of a column as one array."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # pyarrow may return one or no chunk unchanged
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    return array


def string_hashes(column: pa.ChunkedArray) -> np.ndarray:
    """Hash n strings: int64 `[n]`, comparable across splits and datasets."""
    encoded = _flat(column).dictionary_encode()
    digests = [
        hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).digest()[:8]
        for text in encoded.dictionary.to_pylist()
    ]
    numbers = np.frombuffer(b"".join(digests), dtype="<i8")
    return numbers[encoded.indices.to_numpy(zero_copy_only=False)]


def joined_turns(pairs: QuestionAnswerPairs, separator: str) -> list[str]:
    """Join each question with its context, most recent turn first, so that truncation drops what matters least."""
    return [separator.join(pairs.texts[i] for i in turns if i != NO_TURN) for turns in pairs.questions.tolist()]
