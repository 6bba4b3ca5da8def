"""Data of a training: training pairs, validation pairs that select the best epoch, and batches of embeddings."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import split_names
from cube_model.data.location import location_of
from cube_model.data.pairs import NoPairsError, QuestionAnswerPairs, load_pairs
from cube_model.data.training_data import TrainingData
from cube_model.errors import ModelError
from cube_model.teacher.teacher import Teacher
from cube_model.training.config import TrainingConfig
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.utils.data import DataLoader

logger = logging.getLogger(__name__)


def load_training_data(
    config: TrainingConfig, accelerator: Accelerator | None = None, *, progress: bool = False
) -> TrainingData:
    """Return the pairs of `config.data`, with embeddings from the cache or from `config.teacher`.

    Args:
        config: Training configuration.
        accelerator: Accelerator of a run in several processes: each encodes a share of the texts.
        progress: Show a progress bar while texts are encoded.

    Raises:
        ModelError: Data or teacher are unavailable or do not fit the configuration.
    """
    device = None if accelerator is None else str(accelerator.device)
    # the first process fills the cache of `datasets`, from which the others read
    with nullcontext() if accelerator is None else accelerator.main_process_first():
        train, validation = load_training_pairs(config)
        teacher = Teacher.load(config.teacher, config.teacher_dtype, device)
    cache = EmbeddingCache(config.cache_dir, vectors=config.vectors)
    encode = partial(
        QuestionAnswerPairs.embed, teacher=teacher, cache=cache, progress=progress, accelerator=accelerator
    )
    location = location_of(config.data or "")
    return TrainingData(train, encode(train), validation, encode(validation), teacher.describe(), location)


def load_training_pairs(config: TrainingConfig) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs]:
    """Return training pairs, and validation pairs that select the best epoch; the test split is never read.

    If the selected sources have no validation pairs, a tenth of the training dialogues is held out.

    Args:
        config: Training configuration.

    Raises:
        ModelError: There is no train split, or nothing to hold out.
    """
    if config.data is None:
        raise ModelError("nothing to train on: set data to a folder or Hub dataset, or give train() a dataset")
    options: dict[str, Any] = {"context_turns": config.context_turns or 0, "seed": config.seed}
    splits = split_names(config.data)
    if "train" not in splits:
        raise ModelError(f"{config.data}: the pairs config has no train split, only {', '.join(splits)}")
    train = load_pairs(
        config.data,
        "train",
        sources=config.sources,
        max_pairs=config.max_pairs,
        hard_negatives=config.hard_negatives,
        **options,
    )
    if "validation" in splits:
        try:
            limit = config.max_validation_pairs
            return train, load_pairs(config.data, "validation", sources=config.sources, max_pairs=limit, **options)
        except NoPairsError:
            pass
    dialogues = np.unique(train.dialogues)
    if len(dialogues) < 2:
        raise ModelError(f"{config.data}: no validation pairs, and one training dialogue cannot be divided")
    logger.warning("%s: no validation pairs: holding out a tenth of the training dialogues", config.data)
    held_out = np.random.default_rng(config.seed).choice(dialogues, size=max(1, len(dialogues) // 10), replace=False)
    validation = np.isin(train.dialogues, held_out)
    rows = np.flatnonzero(validation)[: config.max_validation_pairs]
    return train.select(np.flatnonzero(~validation)), train.select(rows)


def batch_loader(
    pairs: QuestionAnswerPairs, vectors: np.ndarray, *, batch_size: int, turns: int, processes: int = 1
) -> DataLoader[Any]:
    """Return shuffled batches, gathered from the table of distinct embeddings.

    Args:
        pairs: n pairs.
        vectors: Their embeddings, float32 `[m + 1, d]`, see `TrainingData`.
        batch_size: Pairs per batch, at most n.
        turns: Number of turns per question, the question included.
        processes: Number of processes that share the batches.

    Returns:
        Batches `{"questions": [b, turns, d], "answers": [b, d], "labels": [b], "rows": [b]}`, with `"negatives"`
        `[b, k, d]` if the pairs have any.
    """
    import torch
    from torch.utils.data import DataLoader

    table = torch.from_numpy(vectors)
    indices = {"questions": pairs.questions[:, :turns], "answers": pairs.answers}
    if pairs.negatives is not None:
        indices["negatives"] = pairs.negatives
    last = len(table) - 1  # not every device of torch accepts -1 in an index tensor
    at = {name: torch.from_numpy(np.where(index < 0, last, index).astype(np.int64)) for name, index in indices.items()}
    labels = torch.from_numpy(pairs.labels)

    def collate(numbers: list[int]) -> dict[str, torch.Tensor]:
        rows = torch.tensor(numbers)
        gathered = {name: table[index[rows]] for name, index in at.items()}
        return {**gathered, "labels": labels[rows], "rows": rows}

    return DataLoader(
        range(len(pairs)),  # type: ignore[arg-type]
        batch_size=batch_size,
        shuffle=True,
        collate_fn=collate,
        # a small last batch has few wrong answers, so its loss is on another scale
        drop_last=len(pairs) >= batch_size * processes,
    )
