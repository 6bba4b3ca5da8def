"""What a run trains on: pairs of the train split, pairs to choose the best epoch by, and batches of their vectors."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import split_names
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
    """What the arguments of a run name: pairs of `config.data`, encoded by `config.teacher` or read from the cache.

    Args:
        config: The run.
        accelerator: When several processes call this: each encodes its share of the texts.
        progress: Show a progress bar while texts are encoded.
    """
    device = None if accelerator is None else str(accelerator.device)
    # the first process alone fills the cache of `datasets`, the others find it full
    with nullcontext() if accelerator is None else accelerator.main_process_first():
        train, validation = load_training_pairs(config)
        teacher = Teacher.load(config.teacher, config.teacher_dtype, device)
    cache = EmbeddingCache(config.cache_dir)
    encode = partial(
        QuestionAnswerPairs.embed, teacher=teacher, cache=cache, progress=progress, accelerator=accelerator
    )
    return TrainingData(train, encode(train), validation, encode(validation), teacher.describe())


def load_training_pairs(config: TrainingConfig) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs]:
    """Pairs of the train split and pairs to choose the best epoch by; the test split is never read.

    Without a validation split (or without one of the chosen sources) a tenth of the training dialogues is held out.
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
    held = np.random.default_rng(config.seed).choice(dialogues, size=max(1, len(dialogues) // 10), replace=False)
    out = np.isin(train.dialogues, held)
    return train.select(np.flatnonzero(~out)), train.select(np.flatnonzero(out)[: config.max_validation_pairs])


def batch_loader(
    pairs: QuestionAnswerPairs, vectors: np.ndarray, *, batch_size: int, turns: int, processes: int = 1
) -> DataLoader[Any]:
    """Seeded batches, gathered from the table of distinct vectors.

    Args:
        pairs: n pairs.
        vectors: float32 `[m + 1, d]`, see `TrainingData`.
        batch_size: Pairs a batch, at most n.
        turns: Question and earlier turns to hand over.
        processes: Processes that share the batches.

    Returns:
        Batches `{"questions": [b, turns, d], "answers": [b, d], "labels": [b], "rows": [b]}`, and `"negatives"`
        `[b, k, d]` where the pairs hold some.
    """
    import torch
    from torch.utils.data import DataLoader

    table = torch.from_numpy(vectors)
    indices = {"questions": pairs.questions[:, :turns], "answers": pairs.answers}
    if pairs.negatives is not None:
        indices["negatives"] = pairs.negatives
    # torch does not take -1 as "last" in an index tensor everywhere: say it
    last = len(table) - 1
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
        # a last small batch has few wrong answers: its loss would be on another scale
        drop_last=len(pairs) >= batch_size * processes,
    )
