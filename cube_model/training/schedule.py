"""What a training does in which step: learning rate, batch size, and the seed of the noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cube_model.training.config import TrainingConfig

LEAST_STEPS = 200
"""Minimum number of optimizer steps if `epochs` is not set; 600 overfit on 1,000 pairs."""

FEW_PAIRS = 10_000
EPOCHS = 12
CROSS_VALIDATED_STEPS = 40
"""Minimum number of optimizer steps of each training of a cross-validation if `epochs` is not set."""

BATCH_SIZE = 512
WARMUP = 0.05
"""Fraction of the optimizer steps during which the learning rate rises."""


def batch_size(config: TrainingConfig, pairs: int) -> int:
    """Return the pairs per batch: as configured, else 512, or an eighth of few pairs (at least 32)."""
    return min(config.batch_size or min(BATCH_SIZE, max(32, pairs // 8)), pairs)


def epochs(config: TrainingConfig, steps_per_epoch: int) -> int:
    """Return the passes over the pairs: as configured, else enough for `LEAST_STEPS` optimizer steps."""
    return config.epochs or max(EPOCHS, math.ceil(LEAST_STEPS / steps_per_epoch))


def cross_validated_epochs(config: TrainingConfig, pairs: int) -> int:
    """Return the passes over all pairs or all but a fold: as configured, else enough for `CROSS_VALIDATED_STEPS`."""
    steps = max(1, pairs // batch_size(config, pairs))
    return config.epochs or max(EPOCHS, math.ceil(CROSS_VALIDATED_STEPS / steps))


def learning_rate(config: TrainingConfig, pairs: int) -> float:
    """Return the highest learning rate: as configured, else by the number of pairs; 5e-3 overfits 1,000 of them."""
    return config.learning_rate or (5e-3 if pairs >= FEW_PAIRS else 1e-3)


def patience(config: TrainingConfig, epochs: int) -> int:
    """Return the epochs without a better one that end a training: as configured, else a quarter, at least 3."""
    return config.patience or max(3, epochs // 4)


def scheduler(name: str, optimizer: Any, total: int) -> Any:
    """Return the learning rate schedule over `total` optimizer steps."""
    from transformers import get_scheduler

    return get_scheduler(name, optimizer, num_warmup_steps=math.ceil(WARMUP * total), num_training_steps=total)


def step_seed(seed: int, step: int, process: int) -> int:
    """Return the seed of the noise of a batch, from what a resumed training knows too."""
    return int(np.random.SeedSequence((seed, step, process)).generate_state(1, np.uint64)[0] >> 1)
