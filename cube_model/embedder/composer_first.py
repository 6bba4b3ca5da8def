"""The composer alone, before it is trained with the encoder: on vectors of the encoder as it is, computed once.

An untrained composer returns the question. Together with the encoder it sees some thousands of pairs in the time in
which it sees millions alone, as a step on vectors takes milliseconds.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from transformers import get_scheduler

from cube_model.core.turns_cube import distinct_turns
from cube_model.embedder.joint import turns_model
from cube_model.embedder.loss import ByLengthRankingLoss, contrastive_loss
from cube_model.embedder.pair_trainer import DistinctAnswersSampler, PairTrainer
from cube_model.errors import ModelError
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache
from dataset_builders.common.progress import counting_bar

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from cube_model.embedder.config import EmbedderConfig
    from cube_model.embedder.data import EmbedderData

_BATCH = 512
"""Pairs per batch, if there are enough: a large batch of vectors is cheap, and has more wrong answers to learn from."""

_PAIRS_PER_STEP = 128
"""Pairs that are encoded for each step, at most: each is in four batches then."""


def train_composer_first(
    trainer: PairTrainer, model: SentenceTransformer, config: EmbedderConfig, data: EmbedderData, separator: str
) -> list[dict[str, float]]:
    """Train the composer of a model in place; its encoder stays as it is.

    Every process computes the same steps, on vectors that they encode together.

    Args:
        trainer: The trainer of both, not yet started.
        model: A model of `with_composer`.
        config: The run, with `steps_of_composer` above 0.
        data: The pairs.
        separator: Text between the turns of an anchor.

    Returns:
        `step`, `loss` and `learning_rate` of a hundred steps, as in `training.json`.

    Raises:
        ModelError: The loss is not finite.
    """
    turns = turns_model(model)
    data = data.select(_some_dialogues(data.dialogues, config.steps_of_composer * _PAIRS_PER_STEP, config.seed))
    questions, answers, vectors = _vectors(trainer, turns, config, data, separator)
    loss = cast("ByLengthRankingLoss", contrastive_loss(dataclasses.replace(config, distill=None), model, data, 1))
    labels = torch.from_numpy(data.labels).to(vectors.device)
    sampler = _sampler(config, data)
    optimizer = torch.optim.AdamW(
        turns.composer.parameters(), lr=config.composer_learning_rate, weight_decay=config.weight_decay
    )
    steps = config.steps_of_composer
    schedule = get_scheduler(config.scheduler, optimizer, round(config.warmup * steps), steps)
    history, every, step = [], max(1, steps // 100), 0
    turns.composer.train()
    with counting_bar("composer alone", steps, config.progress and trainer.is_world_process_zero()) as advance:
        while step < steps:
            for batch in sampler:
                rows = torch.tensor(batch)
                embeddings = [turns.compose(vectors[questions[rows]])]
                embeddings += [turns.answers(vectors[column[rows]]) for column in answers]
                value = loss.of_embeddings(embeddings, labels[rows])
                if not value.isfinite():
                    raise _not_finite(float(value.detach()), step + 1, config)
                optimizer.zero_grad()
                value.backward()
                torch.nn.utils.clip_grad_norm_(turns.composer.parameters(), trainer.args.max_grad_norm)
                rate = schedule.get_last_lr()[0]
                optimizer.step()
                schedule.step()
                step += 1
                advance(1)
                if step == 1 or step % every == 0:
                    history.append({"step": step, "loss": float(value.detach()), "learning_rate": rate})
                if step == steps:
                    break
            sampler.set_epoch(sampler.epoch + 1)
    optimizer.zero_grad()
    return history


def _some_dialogues(dialogues: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows of whole dialogues, whose pairs share turns: all, or random ones until they have `count` pairs."""
    numbers, sizes = np.unique(dialogues, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(numbers))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), count)) + 1
    return np.flatnonzero(np.isin(dialogues, numbers[order[:enough]]))


def _vectors(
    trainer: PairTrainer, turns: Any, config: EmbedderConfig, data: EmbedderData, separator: str
) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
    """Rows of the turns of questions `[n, 1 + k]` and of answers `[n]`, in vectors `[texts + 1, d]`; the last is 0."""
    columns = [data.positives, *data.negatives]
    rows = [anchor.split(separator) for anchor in data.anchors] + [[text] for column in columns for text in column]
    texts, numbers = distinct_turns(rows, 1 + config.context_turns)
    questions, *answers = numbers.split(len(data))
    dtype = "bfloat16" if trainer.args.bf16 else "float32"
    teacher = Teacher.load(config.base, dtype, trainer.args.device.type, revision=config.revision)
    encoded = EmbeddingCache().embed(teacher, texts, progress=config.progress, accelerator=trainer.accelerator)
    vectors = torch.nn.functional.pad(torch.from_numpy(encoded), (0, 0, 0, 1)).to(next(turns.parameters()).device)
    return questions, [column[:, 0] for column in answers], vectors


def _sampler(config: EmbedderConfig, data: EmbedderData) -> DistinctAnswersSampler:
    """Batches of `_BATCH` pairs, or of the size of the run where there are too few."""
    options: dict[str, Any] = {"seed": config.seed}
    try:
        return DistinctAnswersSampler(data.anchors, data.answer_ids, data.groups, batch_size=_BATCH, **options)
    except ModelError:
        return DistinctAnswersSampler(
            data.anchors, data.answer_ids, data.groups, batch_size=config.batch_size, **options
        )


def _not_finite(loss: float, step: int, config: EmbedderConfig) -> ModelError:
    return ModelError(
        f"loss is {loss} in step {step} of the composer alone: stopped, nothing written; lower "
        f"--composer-learning-rate (now {config.composer_learning_rate})"
    )
