"""A dataset of embedded question -> answer pairs from pairs, conversations, files or ready-made embeddings.

>>> from cube_model import create_dialogue_dataset
>>> pairs = [{"question": "When do you open?", "answer": "At nine."}, {"question": "Do you deliver?", "answer": "Yes."}]
>>> dataset = create_dialogue_dataset(pairs, teacher="minilm")
>>> question, answer = dataset[0]
>>> question.shape
torch.Size([384])
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cube_model.data.config import DialogueConfig, with_options
from cube_model.data.own_rows import DialogueRows, pair_keys, pairs_of_rows, rows_of_files, rows_of_records
from cube_model.data.pairs import pairs_of_table
from cube_model.data.ready_vectors import encode_ready, ready_embeddings
from cube_model.data.vector_pairs import (
    EmbeddingPairs,
    EncodedPairs,
    SplitPairs,
    encode_texts,
    load_teacher,
    no_pair_left,
)
from dataset_builders.common.options import keywords_of

if TYPE_CHECKING:
    from typing import Unpack

    from cube_model.data.config import DialogueOptions
    from cube_model.teacher.teacher import Teacher

CONVERSATION_CONTEXT_TURNS = 2
"""Default `context_turns` of `create_conversation_dataset`: the user's previous turn and its answer."""

_PAIR = '{"question": "...", "answer": "..."}'
_CONVERSATION = '[{"role": "user", "text": "..."}, {"role": "assistant", "text": "..."}]'


class DialogueDataset(SplitPairs):
    """Pairs of (question embedding, answer embedding) to train a core on; a map-style `torch.utils.data.Dataset`.

    Iterating, indexing and `len` cover the training pairs; `validation` holds the others. Whole conversations are held
    out, and no pair is in both splits. Create one with `from_pairs`, `from_conversations`, `from_files` or
    `from_embeddings`.

    Example:
        >>> pairs = [(f"Is there a bus number {i}?", f"Number {i} leaves every {i} minutes.") for i in range(1, 11)]
        >>> dataset = DialogueDataset.from_pairs(pairs, DialogueConfig(teacher="minilm"))
        >>> len(dataset), len(dataset.validation)
        (8, 2)
        >>> questions, answers = next(iter(dataset.get_dataloader(batch_size=4)))
        >>> questions.shape, answers.shape
        (torch.Size([4, 384]), torch.Size([4, 384]))
        >>> sorted(dataset.statistics()["cosine"])
        ['training', 'validation']
    """

    config: DialogueConfig

    @classmethod
    def from_pairs(
        cls, dialogue_pairs: Iterable[Any], config: DialogueConfig | None = None, *, language: str = "und"
    ) -> DialogueDataset:
        """Create a dataset from pairs in memory.

        Args:
            dialogue_pairs: Dicts `{"question": ..., "answer": ...}` or tuples `(question, answer)`. The other key
                names that are accepted in files (`prompt`, `response`, `вопрос`, `ответ`, ...) work too.
            config: Options. Default: `DialogueConfig()`.
            language: BCP 47 tag of the texts; `und` means undetermined.

        Raises:
            ModelError: A pair has an unknown form, no pair is left, or the teacher is unavailable.
        """
        return cls._from_rows(rows_of_records(dialogue_pairs, "dialogue_pairs", _PAIR, language), config)

    @classmethod
    def from_conversations(
        cls, conversations: Iterable[Any], config: DialogueConfig | None = None, *, language: str = "und"
    ) -> DialogueDataset:
        """Create a dataset from conversations in memory: each user turn with an answer becomes a pair.

        Args:
            conversations: Lists of turns `{"role": "user", "text": ...}`, or dicts `{"messages": [...]}`.
            config: Options; each question comes with `context_turns` turns of its context. Default:
                `DialogueConfig()`, without context.
            language: BCP 47 tag of the texts.

        Raises:
            ModelError: A conversation has an unknown form, no pair is left, or the teacher is unavailable.
        """
        return cls._from_rows(rows_of_records(conversations, "conversations", _CONVERSATION, language), config)

    @classmethod
    def from_files(
        cls,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        config: DialogueConfig | None = None,
        *,
        language: str = "und",
        question_column: str | None = None,
        answer_column: str | None = None,
        encoding: str | None = None,
        max_bad_share: float | None = None,
        rejects: str | os.PathLike[str] | None = None,
    ) -> DialogueDataset:
        """Create a dataset from files of pairs or dialogues: JSON, JSONL, CSV, TSV, TXT, chat exports, .gz or .zip.

        Args:
            paths: A file or folder, or several. In a folder, a file named `validation` is held out, and a file named
                `test` is skipped.
            config: Options. Default: `DialogueConfig()`.
            language: BCP 47 tag of rows without one of their own.
            question_column: Name of the column or key with the question. Default: a usual name, such as `prompt`.
            answer_column: Name of the column or key with the answer. Default: a usual name.
            encoding: Encoding of the files. Default: detected.
            max_bad_share: Share of bad records, from 0 to 1, above which reading fails. Default: 0.1.
            rejects: File for the bad records, as JSON lines. Default: none is written.

        Raises:
            ModelError: A file cannot be read, no pair is left, or the teacher is unavailable.
        """
        reader = {
            "question_column": question_column,
            "answer_column": answer_column,
            "encoding": encoding,
            "max_bad_share": max_bad_share,
            "rejects": rejects,
        }
        options = {name: value for name, value in reader.items() if value is not None}
        return cls._from_rows(rows_of_files(paths, language, **options), config)

    @classmethod
    def from_embeddings(
        cls,
        questions: Any,
        answers: Any = None,
        config: DialogueConfig | None = None,
        *,
        teacher: Teacher | dict[str, Any] | None = None,
        question_column: str | None = None,
        answer_column: str | None = None,
        question_texts: Sequence[str] | None = None,
        answer_texts: Sequence[str] | None = None,
        dialogues: Sequence[Any] | None = None,
    ) -> DialogueDataset:
        """Create a dataset from ready-made embeddings; no text is encoded and no teacher is loaded.

        Args:
            questions: Embeddings `[n, dimension]`, or `[n, 1 + context_turns, dimension]` with context, as an array,
                a tensor or a .npy, .npz, .safetensors or .parquet file.
            answers: Embeddings `[n, dimension]` in the same forms. Default: those in the file of `questions`.
            config: Options; the teacher and the length limits are ignored, the cosine limits apply. Default:
                `DialogueConfig()`.
            teacher: Teacher that made the embeddings. Without it, a core trained on them cannot be asked by text.
            question_column: Name of the questions' embeddings in the file. Default: a usual name, see
                `ready_embeddings`.
            answer_column: Name of the answers' embeddings in the file. Default: a usual name.
            question_texts: n texts of the questions.
            answer_texts: n texts of the answers.
            dialogues: n dialogue ids; the pairs of a dialogue are held out together.

        Raises:
            ModelError: A file cannot be read, or the shapes of the arrays do not match.

        Example:
            >>> import numpy
            >>> questions, answers = numpy.random.default_rng(0).normal(size=(2, 10, 384))
            >>> len(DialogueDataset.from_embeddings(questions, answers))  # the rest is for validation
            8
        """
        config = config or DialogueConfig()
        ready = ready_embeddings(
            questions,
            answers,
            question_column=question_column,
            answer_column=answer_column,
            question_texts=question_texts,
            answer_texts=answer_texts,
            dialogues=dialogues,
        )
        encoded = encode_ready(ready, teacher, config.normalize_embeddings)
        return cls(_drop_by_similarity(encoded, config), config)

    @classmethod
    def _from_rows(cls, rows: DialogueRows, config: DialogueConfig | None) -> DialogueDataset:
        config = config or DialogueConfig()
        selected = pairs_of_rows(rows, config)
        if not len(selected.table):
            raise no_pair_left(selected.read, selected.dropped)
        pairs = pairs_of_table(selected.table, config.context_turns)
        teacher = load_teacher(config)
        vectors, stats = encode_texts(pairs.texts, teacher, config)
        encoded = EncodedPairs(
            pairs,
            vectors,
            teacher.describe(),
            keys=pair_keys(selected.table),
            held_out=np.isin(selected.table["dialogue_id"].to_numpy(), rows.held_out),
            read=selected.read,
            dropped=selected.dropped,
            assessment={"flagged": dict(selected.flagged), "quality": selected.quality},
            cache_stats=stats,
        )
        return cls(_drop_by_similarity(encoded, config), config)


@keywords_of(DialogueConfig)
def create_dialogue_dataset(
    dialogue_pairs: Iterable[Any],
    teacher: str | None = None,
    validation_split: float | None = None,
    context_turns: int | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    **options: Unpack[DialogueOptions],
) -> DialogueDataset:
    """Create a dataset from question -> answer pairs.

    Arguments that are not None override `config`.

    Args:
        dialogue_pairs: Dicts `{"question": ..., "answer": ...}`; see `DialogueDataset.from_pairs`.
        teacher: Frozen encoder, `"minilm"` by default. `teacher_model` is an alias.
        validation_split: Share of the pairs held out for validation, 0.2 by default.
        context_turns: Number of turns before each question to include, 0 by default; for records that are
            conversations.
        config: Options. Default: `DialogueConfig()`.
        language: BCP 47 tag of the texts.
        options: Other fields of `DialogueConfig`.

    Raises:
        ModelError: A pair has an unknown form, no pair is left, an option is invalid, or the teacher is unavailable.

    Example:
        >>> dataset = create_dialogue_dataset(
        ...     [
        ...         {"question": "When do you open?", "answer": "At nine."},
        ...         {"question": "Do you deliver?", "answer": "Yes, on weekdays."},
        ...     ],
        ...     teacher="minilm",
        ...     validation_split=0.5,
        ... )
        >>> len(dataset), len(dataset.validation)
        (1, 1)
    """
    named = {"teacher": teacher, "validation_split": validation_split, "context_turns": context_turns}
    config = with_options(config or DialogueConfig(), {**options}, **named)
    return DialogueDataset.from_pairs(dialogue_pairs, config, language=language)


@keywords_of(DialogueConfig)
def create_conversation_dataset(
    conversations: Iterable[Any],
    teacher: str | None = None,
    validation_split: float | None = None,
    context_turns: int | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    **options: Unpack[DialogueOptions],
) -> DialogueDataset:
    """Create a dataset from conversations: each answered user turn with its context.

    Arguments that are not None override `config`.

    Args:
        conversations: Lists of `{"role": "user" | "assistant", "text": ...}`; see `DialogueDataset.from_conversations`.
        teacher: Frozen encoder, `"minilm"` by default. `teacher_model` is an alias.
        validation_split: Share of the conversations held out for validation, 0.2 by default.
        context_turns: Number of turns before each question to include; questions then have the shape
            `[1 + context_turns, dimension]`. Default: that of `config`; without one 2, or 0 with
            `support_multiturn=False`.
        config: Options. Default: `DialogueConfig()`.
        language: BCP 47 tag of the texts.
        options: Other fields of `DialogueConfig`.

    Raises:
        ModelError: See `create_dialogue_dataset`.

    Example:
        >>> conversation = [
        ...     {"role": "user", "text": "Are you open on Sunday?"},
        ...     {"role": "assistant", "text": "Until six."},
        ...     {"role": "user", "text": "And on Monday?"},
        ...     {"role": "assistant", "text": "Until eight."},
        ... ]
        >>> dataset = create_conversation_dataset([conversation], teacher="minilm", validation_split=0)
        >>> questions, answers = dataset[:]
        >>> questions.shape  # two questions, each with two earlier turns
        torch.Size([2, 3, 384])
    """
    if context_turns is None and config is None and options.get("support_multiturn", True):
        context_turns = CONVERSATION_CONTEXT_TURNS
    named = {"teacher": teacher, "validation_split": validation_split, "context_turns": context_turns}
    config = with_options(config or DialogueConfig(), {**options}, **named)
    return DialogueDataset.from_conversations(conversations, config, language=language)


@keywords_of(DialogueConfig)
def load_dialogue_dataset_from_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    teacher: str | None = None,
    validation_split: float | None = None,
    context_turns: int | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    reader: dict[str, Any] | None = None,
    **options: Unpack[DialogueOptions],
) -> DialogueDataset:
    r"""Create a dataset from files or folders of pairs or dialogues: JSON, JSONL, CSV, TSV, TXT, chat exports.

    Arguments that are not None override `config`.

    Args:
        paths: A file or folder, or several; see `DialogueDataset.from_files`.
        teacher: Frozen encoder, `"minilm"` by default. `teacher_model` is an alias.
        validation_split: Share of the dialogues held out for validation, 0.2 by default.
        context_turns: Number of turns before each question to include, 0 by default.
        config: Options. Default: `DialogueConfig()`.
        language: BCP 47 tag of rows without one of their own.
        reader: Options of the reader, see `DialogueDataset.from_files`: `{"question_column": ..., "encoding": ...}`.
        options: Other fields of `DialogueConfig`.

    Raises:
        ModelError: A file cannot be read; and see `create_dialogue_dataset`.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("hotel.csv").write_text("question,answer\nIs there a gym?,Yes.\nIs there a pool?,In summer.\n")
        >>> len(load_dialogue_dataset_from_files("hotel.csv", teacher="minilm", validation_split=0.5))
        1
    """
    named = {"teacher": teacher, "validation_split": validation_split, "context_turns": context_turns}
    config = with_options(config or DialogueConfig(), {**options}, **named)
    return DialogueDataset._from_rows(rows_of_files(paths, language, **(reader or {})), config)


def _drop_by_similarity(encoded: EncodedPairs, config: DialogueConfig) -> EncodedPairs:
    """Drop and count the pairs whose cosine of question and answer is outside the limits."""
    limits = config.min_similarity, config.max_similarity
    if not config.enable_quality_filter or limits == (None, None):
        return encoded
    cosines = EmbeddingPairs(encoded.pairs, torch.from_numpy(encoded.vectors)).cosines()
    low = cosines < (-1 if config.min_similarity is None else config.min_similarity)
    high = cosines > (1 if config.max_similarity is None else config.max_similarity)
    encoded.dropped["cosine is below min_similarity"] = int(low.sum())
    encoded.dropped["cosine is above max_similarity"] = int(high.sum())
    return encoded.select(np.flatnonzero(~low & ~high))
