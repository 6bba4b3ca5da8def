"""Training loop for baselines with gradients: loss, noise, schedule and stopping are those of the core's trainer.

Batch size, epochs, patience, weight decay and temperature are the defaults of `TrainingConfig`. Only the map differs,
so a difference in results is due to the map.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.methods import Method
from cube_model.training import schedule
from cube_model.training.config import TrainingConfig
from cube_model.training.losses import answer_loss, noisy

GRID: tuple[Settings, ...] = tuple(
    {"learning_rate": rate, "noise": noise} for rate in (5e-4, 1.5e-3, 5e-3) for noise in (0.3, 0.6)
)
"""Settings searched for these baselines and for the core."""

_HIGHEST_TEMPERATURE = 100.0


class Maps(nn.Module):
    """A map of questions, `[b, turns, d]` -> `[b, d]`, and one of answers, `[b, d]` -> `[b, d]`, compared by cosine."""

    def questions(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map questions; by default, return the question's own embedding."""
        return vectors[:, 0]

    def answers(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map answers; by default, return them unchanged."""
        return vectors

    def as_method(self, name: str, turns: int, train_size: int) -> Method:
        """Return the maps with their current weights as a method."""

        def run(function: object) -> object:
            def encode(vectors: np.ndarray) -> np.ndarray:
                with torch.inference_mode():
                    return function(torch.from_numpy(np.ascontiguousarray(vectors))).numpy()  # type: ignore[operator]

            return encode

        return Method(
            name,
            run(self.questions),  # type: ignore[arg-type]
            run(self.answers),  # type: ignore[arg-type]
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turns=turns,
            train_size=train_size,
        )


class Contrastive(Baseline):
    """Baseline trained with AdamW and an in-batch softmax over cosines scaled by a learned temperature."""

    grid = GRID

    @abstractmethod
    def maps(self, dimension: int, turns: int) -> Maps:
        """Return untrained maps; `fit` seeds torch's generator before the call."""

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`."""
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            maps = self.maps(train.dimension, train.turns)
            accuracy = _train(maps, train, validation, seed, **settings)
        method = maps.as_method(self.name, train.turns, len(train))
        return Fitted(method, settings, accuracy, time.monotonic() - started)


def _train(
    maps: Maps,
    train: EmbeddedPairs,
    validation: EmbeddedPairs,
    seed: int,
    learning_rate: float,
    noise: float,
    label_smoothing: float = 0.0,
) -> float:
    """Train in place, restore the weights of the best epoch, and return its accuracy on `validation`."""
    config = TrainingConfig()
    batch = schedule.batch_size(config, len(train))
    steps = len(train) // batch
    epochs = schedule.epochs(config, steps)
    patience = schedule.patience(config, epochs)
    log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
    matrices = [p for p in maps.parameters() if p.dim() > 1]
    others = [p for p in maps.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": [*others, log_temperature], "weight_decay": 0.0},
        ],
        lr=learning_rate,
    )
    rates = schedule.scheduler(config.scheduler, optimizer, steps * epochs)
    table = torch.from_numpy(train.vectors)
    questions = torch.from_numpy(np.where(train.pairs.questions < 0, len(table) - 1, train.pairs.questions)).long()
    answers, labels = torch.from_numpy(train.pairs.answers).long(), torch.from_numpy(train.pairs.labels)

    def accuracy() -> float:
        return validation.accuracy(maps.as_method("", train.turns, 0), seed)

    best, best_epoch, weights = accuracy(), 0, _copy(maps)
    for epoch in range(1, epochs + 1):
        for rows in torch.randperm(len(train))[: steps * batch].view(steps, batch):
            x, y = noisy(table[questions[rows]], noise), noisy(table[answers[rows]], noise)
            loss = in_batch_loss(maps.questions(x), maps.answers(y), labels[rows], log_temperature, label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*maps.parameters(), log_temperature], 1.0)
            optimizer.step()
            rates.step()
        value = accuracy()
        if value > best:
            best, best_epoch, weights = value, epoch, _copy(maps)
        elif epoch - best_epoch >= patience:
            break
    maps.load_state_dict(weights)
    return best


def in_batch_loss(
    questions: torch.Tensor,
    answers: torch.Tensor,
    labels: torch.Tensor,
    log_temperature: torch.Tensor,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy of the true answer among the answers of the batch, without copies of the true answer."""
    scores = functional.normalize(questions, dim=-1) @ functional.normalize(answers, dim=-1).T
    scores = scores * log_temperature.clamp(max=math.log(_HIGHEST_TEMPERATURE)).exp()
    rows = torch.arange(len(scores))
    copies = (labels[:, None] == labels[None, :]) & (rows[:, None] != rows[None, :])
    return answer_loss(scores, rows, copies, label_smoothing)


def _copy(maps: Maps) -> dict[str, torch.Tensor]:
    return {key: value.detach().clone() for key, value in maps.state_dict().items()}
