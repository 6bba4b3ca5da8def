"""What a run does in which step: learning rate, weight decay, batch size, and the seed of the noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.training.config import TrainingConfig

if TYPE_CHECKING:
    from torch import nn

LEAST_STEPS = 200
"""Optimizer steps that a run of few pairs takes at least, when `epochs` is not given; 600 overfit on 1,000 pairs."""

FEW_PAIRS = 10_000
EPOCHS = 12
BATCH_SIZE = 512
WARMUP = 0.05
"""Share of the optimizer steps during which the learning rate rises."""


def batch_size(config: TrainingConfig, pairs: int) -> int:
    """Pairs a batch: as configured, else 512, and an eighth of the pairs where there are few (at least 32)."""
    chosen = config.batch_size or min(BATCH_SIZE, max(32, pairs // 8))
    return min(chosen, pairs)


def epochs(config: TrainingConfig, steps_an_epoch: int) -> int:
    """Passes over the pairs: as configured, else enough for `LEAST_STEPS` optimizer steps."""
    return config.epochs or max(EPOCHS, math.ceil(LEAST_STEPS / steps_an_epoch))


def learning_rate(config: TrainingConfig, pairs: int) -> float:
    """Highest learning rate: as configured, else by the number of pairs; 5e-3 overfits 1,000 of them."""
    return config.learning_rate or (5e-3 if pairs >= FEW_PAIRS else 1e-3)


def patience(config: TrainingConfig, of_epochs: int) -> int:
    """Epochs without a better one after which a run stops: as configured, else a quarter of all, at least 3."""
    return config.patience or max(3, of_epochs // 4)


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on what reads and writes only: decaying biases or the temperature has no use."""
    learned = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    decayed = [parameter for name, parameter in learned if name.endswith((".read", ".write"))]
    others = [parameter for name, parameter in learned if not name.endswith((".read", ".write"))]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def scheduler(name: str, optimizer: Any, total: int) -> Any:
    """The learning-rate schedule over `total` optimizer steps."""
    from transformers import get_scheduler

    return get_scheduler(name, optimizer, num_warmup_steps=math.ceil(WARMUP * total), num_training_steps=total)


def step_seed(seed: int, step: int, process: int) -> int:
    """Seed of the noise of a step: it depends on nothing that a resumed run would not know."""
    return int(np.random.SeedSequence((seed, step, process)).generate_state(1, np.uint64)[0] >> 1)
