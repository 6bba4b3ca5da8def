"""Data of a training: training pairs, validation pairs that select the best epoch, and batches of embeddings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import split_names
from cube_model.data.location import location_of
from cube_model.data.pair_stream import BufferedOrder, PairSelection, PairStream, RecentGroups
from cube_model.data.pairs import QuestionAnswerPairs, load_pairs, no_negatives
from cube_model.data.selection import NoPairsError, chosen_rows
from cube_model.data.stream_options import SHUFFLE_BUFFER, warn_of_small_data
from cube_model.data.training_data import StreamedTrainingData, TrainingData
from cube_model.errors import ModelError
from cube_model.teacher.teacher import Teacher
from cube_model.training.config import TrainingConfig
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.utils.data import DataLoader, Sampler

logger = logging.getLogger(__name__)

_HEAD = 10_000
"""Maximum number of streamed pairs that are in memory all the time: the card's example chooses from their answers."""


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
    if config.streaming:
        processes = 1 if accelerator is None else accelerator.num_processes
        return _stream_training_data(config, device, processes, progress)
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


def _stream_training_data(
    config: TrainingConfig, device: str | None, processes: int, progress: bool
) -> StreamedTrainingData:
    """The same data, with only the validation pairs and the first training pairs in memory."""
    data = _data_of(config)
    splits = _splits(data)
    if "validation" not in splits:
        raise ModelError(
            f"{data}: no validation pairs, and streaming cannot hold out training dialogues; build the dataset with a "
            "validation split, or leave out streaming"
        )
    select = partial(PairSelection, sources=config.sources, context_turns=config.context_turns or 0)
    stream = PairStream(data, select("train", hard_negatives=config.hard_negatives), progress=progress)
    if config.hard_negatives and not stream.survey.negatives:
        raise no_negatives(data, "train")
    held_out = PairStream(data, select("validation"))
    rows = chosen_rows(np.arange(len(held_out)), config.max_validation_pairs, config.seed)
    validation, head = held_out.pairs(rows), stream.pairs(np.arange(min(len(stream), _HEAD)))
    buffer = config.shuffle_buffer or SHUFFLE_BUFFER
    is_main = os.environ.get("RANK", "0") == "0"
    if is_main:
        warn_of_small_data(data, len(stream), buffer)
    teacher = Teacher.load(config.teacher, config.teacher_dtype, device)
    cache = EmbeddingCache(config.cache_dir, vectors=config.vectors)
    embed = partial(QuestionAnswerPairs.embed, teacher=teacher, cache=cache)
    if processes > 1 and config.vectors is None and is_main:
        logger.warning(
            "%s: each of %s processes encodes the texts that the embedding cache lacks; to encode them once, run "
            "`dialogue-cube embed` first and pass --vectors",
            data,
            processes,
        )
    return StreamedTrainingData(
        train=replace(head, fingerprint=stream.survey.fingerprint),
        train_vectors=embed(head),
        validation=validation,
        validation_vectors=embed(validation),
        teacher=teacher.describe(),
        location=location_of(data),
        stream=stream,
        embed=embed,
        buffer=buffer,
    )


def load_training_pairs(config: TrainingConfig) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs]:
    """Return training pairs, and validation pairs that select the best epoch; the test split is never read.

    If the selected sources have no validation pairs, a tenth of the training dialogues is held out.

    Args:
        config: Training configuration.

    Raises:
        ModelError: There is no train split, or nothing to hold out.
    """
    data = _data_of(config)
    options: dict[str, Any] = {"context_turns": config.context_turns or 0, "seed": config.seed}
    splits = _splits(data)
    train = load_pairs(
        data,
        "train",
        sources=config.sources,
        max_pairs=config.max_pairs,
        hard_negatives=config.hard_negatives,
        **options,
    )
    if "validation" in splits:
        try:
            limit = config.max_validation_pairs
            return train, load_pairs(data, "validation", sources=config.sources, max_pairs=limit, **options)
        except NoPairsError:
            pass
    dialogues = np.unique(train.dialogues)
    if len(dialogues) < 2:
        raise ModelError(f"{data}: no validation pairs, and one training dialogue cannot be divided")
    logger.warning("%s: no validation pairs: holding out a tenth of the training dialogues", config.data)
    held_out = np.random.default_rng(config.seed).choice(dialogues, size=max(1, len(dialogues) // 10), replace=False)
    validation = np.isin(train.dialogues, held_out)
    rows = np.flatnonzero(validation)[: config.max_validation_pairs]
    return train.select(np.flatnonzero(~validation)), train.select(rows)


def _data_of(config: TrainingConfig) -> str:
    if config.data is None:
        raise ModelError("nothing to train on: set data to a folder or Hub dataset, or give train() a dataset")
    return config.data


def _splits(data: str) -> list[str]:
    splits = split_names(data)
    if "train" not in splits:
        raise ModelError(f"{data}: the pairs config has no train split, only {', '.join(splits)}")
    return splits


def training_batches(
    data: TrainingData, *, batch_size: int, turns: int, processes: int = 1, seed: int = 0
) -> DataLoader[Any]:
    """Return shuffled batches of the training pairs; see `batch_loader` and `stream_loader`.

    Args:
        data: Training data.
        batch_size: Pairs per batch.
        turns: Number of turns per question, the question included.
        processes: Number of processes that share the batches.
        seed: Seed of the order of a stream.
    """
    if isinstance(data, StreamedTrainingData):
        return stream_loader(data, batch_size=batch_size, turns=turns, processes=processes, seed=seed)
    return batch_loader(data.train, data.train_vectors, batch_size=batch_size, turns=turns, processes=processes)


def batch_loader(
    pairs: QuestionAnswerPairs,
    vectors: np.ndarray,
    *,
    batch_size: int,
    turns: int,
    processes: int = 1,
    order: Sampler[int] | None = None,
) -> DataLoader[Any]:
    """Return shuffled batches, gathered from the table of distinct embeddings.

    Args:
        pairs: n pairs.
        vectors: Their embeddings, float32 `[m + 1, d]`, see `TrainingData`.
        batch_size: Pairs per batch, at most n.
        turns: Number of turns per question, the question included.
        processes: Number of processes that share the batches.
        order: Rows in the order of an epoch. Default: a random order.

    Returns:
        Batches `{"questions": [b, turns, d], "answers": [b, d], "labels": [b], "rows": [b]}`, with `"negatives"`
        `[b, k, d]` if the pairs have any.
    """
    import torch

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

    return _loader(len(pairs), collate, order, batch_size, processes)


def stream_loader(
    data: StreamedTrainingData, *, batch_size: int, turns: int, processes: int = 1, seed: int = 0
) -> DataLoader[Any]:
    """Return the batches that `batch_loader` would return for the same rows, read and embedded as they are needed.

    Batches that a resumed training skips are not read.

    Args:
        data: n pairs.
        batch_size: Pairs per batch, at most n.
        turns: Number of turns per question, the question included.
        processes: Number of processes that share the batches.
        seed: Seed of the order.

    Raises:
        ModelError: The buffer is smaller than the batches of all processes.
    """
    import torch

    stream = data.stream
    if data.buffer < min(batch_size * processes, len(stream)):
        raise ModelError(
            f"shuffle_buffer is {data.buffer:,}, less than the {batch_size * processes:,} pairs of a step: raise it, "
            "or lower batch_size"
        )
    order = BufferedOrder(stream.survey.counts, buffer=data.buffer, seed=seed)
    groups = RecentGroups(data.load, stream, order.largest_block)

    def collate(numbers: list[int]) -> dict[str, torch.Tensor]:
        shape = (len(numbers), turns, data.dimension)
        batch = {"questions": np.empty(shape, np.float32), "answers": np.empty((shape[0], shape[2]), np.float32)}
        if stream.selection.hard_negatives:
            batch["negatives"] = np.empty((shape[0], stream.selection.hard_negatives, shape[2]), np.float32)
        labels = np.empty(len(numbers), np.int64)
        for group, at, rows in stream.places(numbers):
            pairs, vectors = groups[group]
            batch["questions"][at] = vectors[pairs.questions[rows, :turns]]
            batch["answers"][at] = vectors[pairs.answers[rows]]
            if pairs.negatives is not None:
                batch["negatives"][at] = vectors[pairs.negatives[rows]]
            labels[at] = pairs.labels[rows]
        tensors = {name: torch.from_numpy(values) for name, values in batch.items()}
        return {**tensors, "labels": torch.from_numpy(labels), "rows": torch.tensor(numbers)}

    return _loader(len(stream), collate, order, batch_size, processes)


def _loader(
    count: int, collate: Callable[[list[int]], Any], order: Sampler[int] | None, batch_size: int, processes: int
) -> DataLoader[Any]:
    from torch.utils.data import DataLoader

    return DataLoader(
        range(count),  # type: ignore[arg-type]
        batch_size=batch_size,
        shuffle=order is None,
        sampler=order,
        collate_fn=collate,
        # a small last batch has few wrong answers, so its loss is on another scale
        drop_last=count >= batch_size * processes,
    )
