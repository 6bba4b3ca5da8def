"""Train a head from texts: read, encode, fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.intents.config import TrainIntentsConfig
from cube_model.intents.head import LEAST, IntentHead
from cube_model.intents.label_names import words_of
from cube_model.intents.utterances import Utterances, read_labelled
from dataset_builders.common.reading import is_text

if TYPE_CHECKING:
    from cube_model.intents.intent import Intent
    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache


def train_intents(
    config: TrainIntentsConfig, *, cache: EmbeddingCache | None = None, progress: bool = False
) -> tuple[IntentHead, Utterances]:
    """Train a head on the labelled utterances of a dataset, of own files, or of both.

    Labels with a single different example are left out and counted in `left_out`.

    Args:
        config: Configuration.
        cache: Embedding cache. Default: the user's, with the vectors of the configuration.
        progress: Show a progress bar.

    Returns:
        The head, and the utterances that it was trained on.

    Raises:
        ModelError: An input cannot be read, or fewer than two labels have enough examples.
    """
    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache

    rows = read_labelled(config)
    _leave_out_rare(rows)
    cache = cache or EmbeddingCache(vectors=config.vectors)
    teacher = Teacher.load(config.encoder)
    head = fit_texts(teacher, cache, rows, accepted=config.accepted, seed=config.seed, progress=progress)
    return head, rows


def fit_texts(
    teacher: Teacher,
    cache: EmbeddingCache,
    rows: Utterances,
    *,
    accepted: float,
    seed: int = 0,
    progress: bool = False,
) -> IntentHead:
    """Encode utterances and the names of their labels, and fit a head.

    Args:
        teacher: Encoder.
        cache: Embedding cache.
        rows: Labelled utterances.
        accepted: See `IntentHead.fit`.
        seed: Seed.
        progress: Show a progress bar.

    Raises:
        ModelError: See `IntentHead.fit`.
    """
    names = sorted({label for labels in rows.labels for label in labels})
    texts = [*rows.texts, *rows.outside, *map(words_of, names)]
    vectors = cache.embed(teacher, texts, progress=progress)
    own, outside, named = np.split(vectors, np.cumsum([len(rows.texts), len(rows.outside)]))
    return IntentHead.fit(
        own,
        rows.labels if rows.is_multi else [labels[0] for labels in rows.labels],
        name_vectors=dict(zip(names, named, strict=True)),
        outside=outside,
        accepted=accepted,
        encoder=teacher.describe(),
        data=rows.facts,
        seed=seed,
    )


def predict_texts(head: IntentHead, teacher: Teacher, texts: Sequence[str], level: int | None = None) -> list[Intent]:
    """Predict the intents of texts.

    Args:
        head: Head.
        teacher: The encoder that it was trained with.
        texts: n texts.
        level: See `IntentHead.probabilities`.

    Raises:
        ModelError: A text is empty, the level is below 1, or the head was trained with another encoder.
    """
    head.check_encoder(teacher)
    if empty := [number for number, text in enumerate(texts, start=1) if not text.strip()]:
        raise ModelError(f"utterance {empty[0]} is empty; expected a text")
    if halves := [number for number, text in enumerate(texts, start=1) if not is_text(text)]:
        raise ModelError(f"utterance {halves[0]} contains half of a character (a lone surrogate); write it again")
    return head.predict(teacher.encode(texts), level)


def _leave_out_rare(rows: Utterances) -> None:
    """Remove the labels with a single text, and the rows that have no other label."""
    texts: dict[str, set[str]] = {}
    for text, labels in zip(rows.texts, rows.labels, strict=True):
        for label in labels:
            texts.setdefault(label, set()).add(text.casefold())
    rare = {label for label, own in texts.items() if len(own) < LEAST}
    if len(texts) - len(rare) < 2:
        which = f"{len(texts) - len(rare)} of {len(texts)} labels have at least {LEAST} different examples"
        raise ModelError(f"{which}; expected two or more: write more examples, or name the column with the labels")
    if not rare:
        return
    kept = [
        (text, own)
        for text, labels in zip(rows.texts, rows.labels, strict=True)
        if (own := [label for label in labels if label not in rare]) or not labels
    ]
    for label in sorted(rare):
        rows.left_out[f"label {label}: a single example"] += 1
    rows.texts, rows.labels = [text for text, _ in kept], [labels for _, labels in kept]
    rows.facts["rows"] = len(rows.texts)
