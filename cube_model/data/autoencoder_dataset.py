"""Embeddings as both input and target, to train a core with `mode="autoencoder"` to reconstruct them.

>>> from cube_model import AutoencoderDataset
>>> dataset = AutoencoderDataset.from_texts(["I need a table for two.", "When do you open?"], teacher="minilm")
>>> vector, target = dataset[0]
>>> bool((vector == target).all())
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.config import DatasetConfig, with_options
from cube_model.data.own_rows import text_keys
from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.data.ready_vectors import encode_ready, ready_vectors
from cube_model.data.vector_pairs import EncodedPairs, SplitPairs, encode_texts, load_teacher, no_pair_left
from cube_model.errors import ModelError
from dataset_builders.common.options import keywords_of

if TYPE_CHECKING:
    from typing import Unpack

    from cube_model.data.config import DatasetOptions
    from cube_model.teacher.teacher import Teacher


class AutoencoderDataset(SplitPairs):
    """Pairs of (embedding, the same embedding), split into training and validation; a map-style torch `Dataset`.

    Create one with `from_texts` or `from_embeddings`. Duplicates are dropped, and no text is in both splits, not even
    with different case or punctuation.

    Example:
        >>> texts = [f"I need a table for {i}." for i in range(2, 12)]
        >>> dataset = AutoencoderDataset.from_texts(texts, teacher="minilm")
        >>> embedding, target = dataset[0]
        >>> bool((embedding == target).all())
        True
    """

    @classmethod
    @keywords_of(DatasetConfig)
    def from_texts(
        cls,
        texts: Iterable[str],
        config: DatasetConfig | None = None,
        *,
        language: str = "und",
        teacher: str | None = None,
        validation_split: float | None = None,
        **options: Unpack[DatasetOptions],
    ) -> AutoencoderDataset:
        """Create a dataset by encoding texts.

        Args:
            texts: Utterances.
            config: Options of the teacher and the split. Default: `DatasetConfig()`.
            language: BCP 47 tag of the texts.
            teacher: Frozen encoder, `"minilm"` by default.
            validation_split: Share of the texts held out for validation, 0.2 by default.
            options: Other fields of `DatasetConfig`; they override `config`.

        Raises:
            ModelError: A text is not a string, no text is left, an option is invalid, or the teacher is unavailable.
        """
        config = with_options(
            config or DatasetConfig(), {**options}, teacher=teacher, validation_split=validation_split
        )
        if isinstance(texts, str):
            raise ModelError("texts is a single string: expected a list of strings")
        texts = list(texts)
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise ModelError(f"texts[{number}] is of type {type(text).__name__}: expected a string")
        visible = [text.strip() for text in texts if text.strip()]
        distinct = list(dict.fromkeys(visible))
        dropped = {"empty": len(texts) - len(visible), "a repeated text": len(visible) - len(distinct)}
        if not distinct:
            raise no_pair_left(len(texts), dropped)
        keys = text_keys(distinct)
        pairs = _identity_pairs(distinct, keys, language)
        encoder = load_teacher(config)
        vectors, stats = encode_texts(distinct, encoder, config)
        held_out = np.zeros(len(pairs), dtype=bool)
        encoded = EncodedPairs(
            pairs, vectors, encoder.describe(), keys, held_out, len(texts), dropped, cache_stats=stats
        )
        return cls(encoded, config)

    @classmethod
    @keywords_of(DatasetConfig)
    def from_embeddings(
        cls,
        vectors: Any,
        /,  # a field of the config has the same name
        config: DatasetConfig | None = None,
        *,
        teacher: Teacher | dict[str, Any] | None = None,
        column: str | None = None,
        validation_split: float | None = None,
        **options: Unpack[DatasetOptions],
    ) -> AutoencoderDataset:
        """Create a dataset from ready-made embeddings.

        Args:
            vectors: Array or tensor `[n, dimension]`, or a .npy, .npz, .safetensors or .parquet file.
            config: Options of the split and the normalisation; its teacher is ignored. Default: `DatasetConfig()`.
            teacher: Teacher that made the embeddings.
            column: Name of the array or column in the file; required if the file holds several.
            validation_split: Share of the embeddings held out for validation, 0.2 by default.
            options: Other fields of `DatasetConfig`; they override `config`.

        Raises:
            ModelError: The file cannot be read, or a value is not finite.
        """
        config = with_options(config or DatasetConfig(), {**options}, validation_split=validation_split)
        encoded = encode_ready(ready_vectors(vectors, column), teacher, config.normalize_embeddings)
        first = np.sort(np.unique(encoded.pairs.answers, return_index=True)[1])
        encoded.dropped["a repeated vector"] = len(encoded.pairs) - len(first)
        return cls(encoded.select(first), config)


def _identity_pairs(texts: list[str], keys: np.ndarray, language: str) -> QuestionAnswerPairs:
    """Pairs of each text with itself."""
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
