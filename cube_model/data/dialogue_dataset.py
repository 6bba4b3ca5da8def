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

if TYPE_CHECKING:
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
        **options: Any,
    ) -> DialogueDataset:
        """Create a dataset from files of pairs or dialogues: JSON, JSONL, CSV, TSV, TXT, chat exports, .gz or .zip.

        Args:
            paths: A file or folder, or several. In a folder, a file named `validation` is held out, and a file named
                `test` is skipped.
            config: Options. Default: `DialogueConfig()`.
            language: BCP 47 tag of rows without one of their own.
            options: Options of the reader: `question_column`, `answer_column`, `encoding`, `max_bad_share`, `rejects`.

        Raises:
            ModelError: A file cannot be read, no pair is left, or the teacher is unavailable.
        """
        return cls._from_rows(rows_of_files(paths, language, **options), config)

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
        """Create a dataset from ready-made embeddings; no text is encoded and no teacher is loaded.

        Args:
            questions: Embeddings `[n, dimension]`, or `[n, 1 + context_turns, dimension]` with context, as an array,
                a tensor or a .npy, .npz, .safetensors or .parquet file.
            answers: Embeddings `[n, dimension]` in the same forms. Default: those in the file of `questions`.
            config: Options; the teacher and the length limits are ignored, the cosine limits apply. Default:
                `DialogueConfig()`.
            teacher: Teacher that made the embeddings. Without it, a core trained on them cannot be asked by text.
            options: Options of `ready_embeddings`: names of columns or arrays, texts, dialogues.

        Raises:
            ModelError: A file cannot be read, or the shapes of the arrays do not match.
        """
        config = config or DialogueConfig()
        encoded = encode_ready(ready_embeddings(questions, answers, **options), teacher, config.normalize_embeddings)
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


def create_dialogue_dataset(
    dialogue_pairs: Iterable[Any],
    teacher: str | None = None,
    validation_split: float | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    **options: Any,
) -> DialogueDataset:
    """Create a dataset from question -> answer pairs.

    Arguments that are not None override `config`.

    Args:
        dialogue_pairs: Dicts `{"question": ..., "answer": ...}`; see `DialogueDataset.from_pairs`.
        teacher: Frozen encoder, `"minilm"` by default. `teacher_model` is an alias.
        validation_split: Share of the pairs held out for validation, 0.2 by default.
        config: Options. Default: `DialogueConfig()`.
        language: BCP 47 tag of the texts.
        options: Other fields of `DialogueConfig`.

    Raises:
        ModelError: A pair has an unknown form, no pair is left, an option is invalid, or the teacher is unavailable.

    Example:
        >>> dataset = create_dialogue_dataset(
        ...     [{"question": "Что такое AI?", "answer": "Искусственный интеллект."},
        ...      {"question": "Как работает ML?", "answer": "Машина учится на примерах."}],
        ...     teacher="multilingual-e5", validation_split=0.2, language="ru",
        ... )
    """
    config = _config(config, options, teacher=teacher, validation_split=validation_split)
    return DialogueDataset.from_pairs(dialogue_pairs, config, language=language)


def create_conversation_dataset(
    conversations: Iterable[Any],
    teacher: str | None = None,
    validation_split: float | None = None,
    context_turns: int | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    **options: Any,
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
    """
    if context_turns is None and config is None and options.get("support_multiturn", True):
        context_turns = CONVERSATION_CONTEXT_TURNS
    config = _config(config, options, teacher=teacher, validation_split=validation_split, context_turns=context_turns)
    return DialogueDataset.from_conversations(conversations, config, language=language)


def load_dialogue_dataset_from_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    teacher: str | None = None,
    validation_split: float | None = None,
    *,
    config: DialogueConfig | None = None,
    language: str = "und",
    reader: dict[str, Any] | None = None,
    **options: Any,
) -> DialogueDataset:
    """Create a dataset from files or folders of pairs or dialogues: JSON, JSONL, CSV, TSV, TXT, chat exports.

    Arguments that are not None override `config`.

    Args:
        paths: A file or folder, or several; see `DialogueDataset.from_files`.
        teacher: Frozen encoder, `"minilm"` by default. `teacher_model` is an alias.
        validation_split: Share of the dialogues held out for validation, 0.2 by default.
        config: Options. Default: `DialogueConfig()`.
        language: BCP 47 tag of rows without one of their own.
        reader: Options of the reader: `{"question_column": ..., "answer_column": ..., "encoding": ...}`.
        options: Other fields of `DialogueConfig`.

    Raises:
        ModelError: A file cannot be read; and see `create_dialogue_dataset`.
    """
    config = _config(config, options, teacher=teacher, validation_split=validation_split)
    return DialogueDataset.from_files(paths, config, language=language, **(reader or {}))


def _config(config: DialogueConfig | None, options: dict[str, Any], **arguments: Any) -> DialogueConfig:
    """`config` with the arguments that are not None and the options."""
    set_arguments = {name: value for name, value in arguments.items() if value is not None}
    return with_options(config or DialogueConfig(), {**set_arguments, **options})


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
