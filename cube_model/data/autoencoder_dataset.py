"""Vectors that are their own answer: what a core with `mode="autoencoder"` learns to give back.

>>> from cube_model import AutoencoderDataset
>>> dataset = AutoencoderDataset.from_texts(["I need a table for two.", "When do you open?"], teacher_model="minilm")
>>> vector, target = dataset[0]
>>> bool((vector == target).all())
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.config import DatasetConfig, changed
from cube_model.data.own_rows import text_keys
from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.data.ready_vectors import encode_ready, ready_vectors
from cube_model.data.vector_pairs import EncodedPairs, SplitPairs, encode_texts, load_teacher, nothing_left
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.teacher.teacher import Teacher


class AutoencoderDataset(SplitPairs):
    """Pairs (vector, the same vector): a map-style `torch.utils.data.Dataset`, with a held-out side.

    Make one with `from_texts` or `from_embeddings`. Each distinct text or vector counts once; no text is on both sides,
    not even with other case or punctuation.
    """

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], config: DatasetConfig | None = None, *, language: str = "und", **options: Any
    ) -> AutoencoderDataset:
        """Vectors of texts.

        Args:
            texts: Utterances.
            config: Teacher and split; the defaults when not given.
            language: BCP 47 tag of the texts.
            options: Fields of `DatasetConfig`, which go before `config`.

        Raises:
            ModelError: A text is no string, none is left, a field is not possible, or the teacher cannot be had.
        """
        config = changed(config or DatasetConfig(), options)
        if isinstance(texts, str):
            raise ModelError("texts is one string: expected a list of them")
        given = list(texts)
        for number, text in enumerate(given):
            if not isinstance(text, str):
                raise ModelError(f"texts[{number}] is a {type(text).__name__}: expected a string")
        visible = [text.strip() for text in given if text.strip()]
        distinct = list(dict.fromkeys(visible))
        dropped = {"empty": len(given) - len(visible), "a repeated text": len(visible) - len(distinct)}
        if not distinct:
            raise nothing_left(len(given), dropped)
        keys = text_keys(distinct)
        pairs = _of_itself(distinct, keys, language)
        teacher = load_teacher(config)
        vectors, stats = encode_texts(distinct, teacher, config)
        none = np.zeros(len(pairs), dtype=bool)
        encoded = EncodedPairs(pairs, vectors, teacher.describe(), keys, none, len(given), dropped, cache_stats=stats)
        return cls(encoded, config)

    @classmethod
    def from_embeddings(
        cls,
        vectors: Any,
        config: DatasetConfig | None = None,
        *,
        teacher: Teacher | dict[str, Any] | None = None,
        column: str | None = None,
        **options: Any,
    ) -> AutoencoderDataset:
        """Ready-made vectors.

        Args:
            vectors: Array or tensor `[n, dimension]`, or a .npy, .npz, .safetensors or .parquet file.
            config: Split and normalisation; its teacher does not apply.
            teacher: What made the vectors.
            column: Name of the array or column in the file; needed where it holds several.
            options: Fields of `DatasetConfig`, which go before `config`.

        Raises:
            ModelError: The file cannot be read, or a value is not finite.
        """
        config = changed(config or DatasetConfig(), options)
        encoded = encode_ready(ready_vectors(vectors, column), teacher, config.normalize_embeddings)
        first = np.sort(np.unique(encoded.pairs.answers, return_index=True)[1])
        encoded.dropped["a repeated vector"] = len(encoded.pairs) - len(first)
        return cls(encoded.select(first), config)


def _of_itself(texts: list[str], keys: np.ndarray, language: str) -> QuestionAnswerPairs:
    rows = np.arange(len(texts), dtype=np.int32)
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass"))
    return QuestionAnswerPairs(
        texts=texts,
        questions=rows[:, None],
        answers=rows,
        labels=keys,
        dialogues=keys,
        sources=["texts"] * len(texts),
        licenses=["LicenseRef-private"] * len(texts),
        languages=[language] * len(texts),
        fingerprint=digest.hexdigest(),
    )
