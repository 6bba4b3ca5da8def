"""Question -> answer vectors of a user's own pairs, conversations, files and ready-made vectors.

>>> from cube_model import create_dialogue_dataset
>>> pairs = [{"question": "When do you open?", "answer": "At nine."}, {"question": "Do you deliver?", "answer": "Yes."}]
>>> dataset = create_dialogue_dataset(pairs, teacher_model="minilm")
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

from cube_model.data.config import DialogueConfig, changed
from cube_model.data.own_rows import DialogueRows, pair_keys, pairs_of_rows, rows_of_files, rows_of_records
from cube_model.data.pairs import pairs_of_table
from cube_model.data.ready_vectors import encode_ready, ready_embeddings
from cube_model.data.vector_pairs import (
    EmbeddingPairs,
    EncodedPairs,
    SplitPairs,
    encode_texts,
    load_teacher,
    nothing_left,
)

if TYPE_CHECKING:
    from cube_model.teacher.teacher import Teacher

CONVERSATION_TURNS = 2
"""Earlier turns that come with a question of `create_conversation_dataset`: the user's last one and its answer."""

_PAIR = '{"question": "...", "answer": "..."}'
_CONVERSATION = '[{"role": "user", "text": "..."}, {"role": "assistant", "text": "..."}]'


class DialogueDataset(SplitPairs):
    """Pairs of (question vector, answer vector) for training a core: a map-style `torch.utils.data.Dataset`.

    Iterating, indexing and `len` give the pairs for training; `validation` holds those held out. Whole conversations
    are held out, and no pair stands on both sides. Make one with `from_pairs`, `from_conversations`, `from_files` or
    `from_embeddings`.

    Example:
        >>> for questions, answers in dataset.get_dataloader(batch_size=32):
        ...     ...  # [32, 768], [32, 768]
        >>> dataset.statistics()["cosine"]
        {'training': 0.41, 'validation': 0.39}
    """

    config: DialogueConfig

    @classmethod
    def from_pairs(
        cls, dialogue_pairs: Iterable[Any], config: DialogueConfig | None = None, *, language: str = "und"
    ) -> DialogueDataset:
        """Pairs in memory.

        Args:
            dialogue_pairs: `{"question": ..., "answer": ...}` each, or `(question, answer)`; other names that own files
                may use (`prompt`, `response`, `вопрос`, `ответ`, ...) are understood too.
            config: The defaults when not given.
            language: BCP 47 tag of the texts; `und` is "undetermined".

        Raises:
            ModelError: A pair is of no known form, none is left, or the teacher cannot be had.
        """
        return cls._of_rows(rows_of_records(dialogue_pairs, "dialogue_pairs", _PAIR, language), config)

    @classmethod
    def from_conversations(
        cls, conversations: Iterable[Any], config: DialogueConfig | None = None, *, language: str = "und"
    ) -> DialogueDataset:
        """Conversations in memory: every turn of the user that is answered makes a pair.

        Args:
            conversations: Lists of turns `{"role": "user", "text": ...}`, or `{"messages": [...]}` each.
            config: `context_turns` earlier turns come with each question.
            language: BCP 47 tag of the texts.

        Raises:
            ModelError: See `from_pairs`.
        """
        return cls._of_rows(rows_of_records(conversations, "conversations", _CONVERSATION, language), config)

    @classmethod
    def from_files(
        cls,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        config: DialogueConfig | None = None,
        *,
        language: str = "und",
        **options: Any,
    ) -> DialogueDataset:
        """Files or folders of pairs or dialogues: JSON, JSONL, CSV, TSV, TXT, chat exports, also as .gz or .zip.

        Args:
            paths: A file or folder, or several. Of a folder, a file called `validation` is held out, one called `test`
                is left out.
            config: The defaults when not given.
            language: BCP 47 tag of the rows that state none.
            options: Of the reader: `question_column`, `answer_column`, `encoding`, `max_bad_share`, `rejects`.

        Raises:
            ModelError: See `from_pairs`; or a file cannot be read.
        """
        return cls._of_rows(rows_of_files(paths, language, **options), config)

    @classmethod
    def from_embeddings(
        cls,
        questions: Any,
        answers: Any = None,
        config: DialogueConfig | None = None,
        *,
        teacher: Teacher | dict[str, Any] | None = None,
        **options: Any,
    ) -> DialogueDataset:
        """Ready-made vectors, in memory or in files; nothing is encoded and no teacher is loaded.

        Args:
            questions: Vectors `[n, dimension]` or with earlier turns `[n, 1 + context_turns, dimension]` (array or
                tensor); or a .npy, .npz, .safetensors or .parquet file.
            answers: Vectors `[n, dimension]`, or a file; not needed where the first file holds both.
            config: Its length limits and its teacher do not apply, its cosine limits do.
            teacher: What made the vectors. Without it a core trained on them cannot be asked by text.
            options: Of `ready_embeddings`: names of columns or arrays, texts, dialogues.

        Raises:
            ModelError: A file cannot be read, or the arrays do not fit each other.
        """
        config = config or DialogueConfig()
        encoded = encode_ready(ready_embeddings(questions, answers, **options), teacher, config.normalize_embeddings)
        return cls(_within_similarity(encoded, config), config)

    @classmethod
    def _of_rows(cls, rows: DialogueRows, config: DialogueConfig | None) -> DialogueDataset:
        config = config or DialogueConfig()
        found = pairs_of_rows(rows, config)
        if not len(found.table):
            raise nothing_left(found.read, found.dropped)
        pairs = pairs_of_table(found.table, config.context_turns)
        teacher = load_teacher(config)
        vectors, stats = encode_texts(pairs.texts, teacher, config)
        encoded = EncodedPairs(
            pairs,
            vectors,
            teacher.describe(),
            keys=pair_keys(found.table),
            stated=np.isin(found.table["dialogue_id"].to_numpy(), rows.held_out),
            read=found.read,
            dropped=found.dropped,
            assessment={"flagged": dict(found.flagged), "quality": found.quality},
            cache_stats=stats,
        )
        return cls(_within_similarity(encoded, config), config)


def create_dialogue_dataset(
    dialogue_pairs: Iterable[Any],
    teacher_model: str | None = None,
    validation_split: float | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    **options: Any,
) -> DialogueDataset:
    """A dataset of question -> answer pairs.

    Args:
        dialogue_pairs: `{"question": ..., "answer": ...}` each; see `DialogueDataset.from_pairs`.
        teacher_model: The frozen encoder, `"distilbert"` when not given.
        validation_split: Share of the pairs held out, 0.2 when not given.
        config: Other defaults than those of `DialogueConfig`.
        language: BCP 47 tag of the texts.
        options: Any other field of `DialogueConfig`.

    Raises:
        ModelError: A pair is of no known form, none is left, a field is not possible, or the teacher cannot be had.

    Example:
        >>> dataset = create_dialogue_dataset(
        ...     [{"question": "Что такое AI?", "answer": "Искусственный интеллект."},
        ...      {"question": "Как работает ML?", "answer": "Машина учится на примерах."}],
        ...     teacher_model="multilingual-e5", validation_split=0.2, language="ru",
        ... )
    """
    given = {"teacher_model": teacher_model, "validation_split": validation_split}
    return DialogueDataset.from_pairs(dialogue_pairs, _config(config, given, options), language=language)


def create_conversation_dataset(
    conversations: Iterable[Any],
    teacher_model: str | None = None,
    validation_split: float | None = None,
    context_turns: int | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    **options: Any,
) -> DialogueDataset:
    """A dataset of conversations: each answered turn of the user with the turns before it.

    Args:
        conversations: Lists of `{"role": "user" | "assistant", "text": ...}`; see `DialogueDataset.from_conversations`.
        teacher_model: The frozen encoder, `"distilbert"` when not given.
        validation_split: Share of the conversations held out, 0.2 when not given.
        context_turns: Earlier turns that come with each question: 2 when neither this nor `config` says it; 0 with
            `support_multiturn=False`. Questions are then `[1 + context_turns, dimension]`.
        config: Other defaults than those of `DialogueConfig`.
        language: BCP 47 tag of the texts.
        options: Any other field of `DialogueConfig`.

    Raises:
        ModelError: See `create_dialogue_dataset`.
    """
    if context_turns is None and config is None and options.get("support_multiturn", True):
        context_turns = CONVERSATION_TURNS
    given = {"teacher_model": teacher_model, "validation_split": validation_split, "context_turns": context_turns}
    return DialogueDataset.from_conversations(conversations, _config(config, given, options), language=language)


def load_dialogue_dataset_from_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    teacher_model: str | None = None,
    validation_split: float | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    reader: dict[str, Any] | None = None,
    **options: Any,
) -> DialogueDataset:
    """A dataset of files or folders of pairs or dialogues: JSON, JSONL, CSV, TSV, TXT and chat exports.

    Args:
        paths: A file or folder, or several; see `DialogueDataset.from_files`.
        teacher_model: The frozen encoder, `"distilbert"` when not given.
        validation_split: Share of the dialogues held out, 0.2 when not given.
        config: Other defaults than those of `DialogueConfig`.
        language: BCP 47 tag of the rows that state none.
        reader: How to read the files: `{"question_column": ..., "answer_column": ..., "encoding": ...}`.
        options: Any other field of `DialogueConfig`.

    Raises:
        ModelError: A file cannot be read; and see `create_dialogue_dataset`.
    """
    given = {"teacher_model": teacher_model, "validation_split": validation_split}
    return DialogueDataset.from_files(paths, _config(config, given, options), language=language, **(reader or {}))


def _config(config: DialogueConfig | None, given: dict[str, Any], options: dict[str, Any]) -> DialogueConfig:
    return changed(config or DialogueConfig(), {**{k: v for k, v in given.items() if v is not None}, **options})


def _within_similarity(encoded: EncodedPairs, config: DialogueConfig) -> EncodedPairs:
    """Drop the pairs whose question-answer cosine is beyond the limits, and count them."""
    limits = config.min_similarity, config.max_similarity
    if not config.enable_quality_filter or limits == (None, None):
        return encoded
    cosines = EmbeddingPairs(encoded.pairs, torch.from_numpy(encoded.vectors)).cosines()
    low = cosines < (-1 if config.min_similarity is None else config.min_similarity)
    high = cosines > (1 if config.max_similarity is None else config.max_similarity)
    encoded.dropped["cosine is below min_similarity"] = int(low.sum())
    encoded.dropped["cosine is above max_similarity"] = int(high.sum())
    return encoded.select(np.flatnonzero(~low & ~high))
