"""MAP as defined by PolyAI's conversational-datasets (Henderson et al. 2019, arXiv:1904.06472), and a stronger variant.

`MapPolyAI` follows the publication, including its grid search. x and y have norm 1. Answers are mapped by
y' = y W + a y, with a d x d matrix W (initially orthogonal) and a scalar a (initially 1). The score x . y' is NOT
re-normalised. The loss is softmax cross-entropy over a batch of 256 with label smoothing 0.2, no temperature, and L2 on
W. Adagrad runs for at most 100 epochs with patience 10. 80 % of the pairs are for training; the other 20 % select
epoch, learning rate and L2 by 1-of-100 accuracy. Context turns are ignored.

`MapAdamW` is the same map of the answers, trained like the core.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.baselines.contrastive import Contrastive, Maps
from cube_model.evaluation.methods import Method
from cube_model.metrics.metrics import Draws, one_of_batch

BATCH, EPOCHS, PATIENCE, SMOOTHING = 256, 100, 10, 0.2
LEARNING_RATES = (10.0, 3.0, 1.0, 0.3, 0.01)
REGULARIZERS = (0.0, 0.1, 0.01, 0.001)
_ADAGRAD_START = 0.1  # TensorFlow's default, which the published code used; torch's is 0


class MapPolyAI(Baseline):
    """MAP as published, reported as `map`; scored by cosine, it is also reported as `map_renormalized`."""

    name = "map"
    grid = tuple({"learning_rate": rate, "l2": l2} for rate in LEARNING_RATES for l2 in REGULARIZERS)

    def __init__(self, epochs: int = EPOCHS) -> None:
        self.epochs = epochs

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; ignores `validation`, as the protocol holds out a fifth of the training pairs."""
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        order = np.random.default_rng(seed).permutation(len(train))
        cut = max(1, len(train) * 4 // 5)
        fitting, held_out = np.sort(order[:cut]), np.sort(order[cut:])
        x, y = torch.from_numpy(train.questions(slice(None), 1)[:, 0]), torch.from_numpy(train.answers())
        dev = _Dev(x[held_out], y[held_out], train.pairs.labels[held_out], seed)
        generator = torch.Generator().manual_seed(seed)
        weight, own, accuracy = _train(x[fitting], y[fitting], dev, generator, self.epochs, **settings)
        return Fitted(_method(self.name, weight, own, len(train)), settings, accuracy, time.monotonic() - started)

    def variants(self, fitted: Fitted) -> list[Fitted]:
        """Return the fit as published, and with y' scaled to norm 1 for scoring."""
        assert isinstance(fitted.method, Method)
        renormalized = dataclasses.replace(fitted.method, name="map_renormalized", cosine=True)
        return [fitted, dataclasses.replace(fitted, method=renormalized)]


def _method(name: str, weight: np.ndarray, own: float, train_size: int) -> Method:
    return Method(
        name,
        lambda questions: questions[:, 0],
        lambda answers: answers @ weight + own * answers,
        parameters=weight.size + 1,
        train_size=train_size,
        cosine=False,
    )


class _Dev:
    """The held-out fifth of the training pairs, with fixed batches."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, labels: np.ndarray, seed: int) -> None:
        self.x, self.y, self.labels = x.numpy(), y, labels
        self.draws = Draws.of(len(labels), draws=1, seed=seed)

    def accuracy(self, weight: torch.Tensor, own: torch.Tensor) -> float:
        mapped = (self.y @ weight + own * self.y).numpy()
        return float(np.nanmean(one_of_batch(self.x, mapped, self.labels, self.draws)[0]))


def _train(
    x: torch.Tensor,
    y: torch.Tensor,
    dev: _Dev,
    generator: torch.Generator,
    epochs: int,
    learning_rate: float,
    l2: float,
) -> tuple[np.ndarray, float, float]:
    """Return W and a of the epoch with the best accuracy on `dev`, and that accuracy."""
    dimension = x.shape[1]
    weight = torch.empty(dimension, dimension)
    torch.nn.init.orthogonal_(weight, generator=generator)
    weight.requires_grad_()
    own = torch.ones((), requires_grad=True)
    optimizer = torch.optim.Adagrad([weight, own], lr=learning_rate, initial_accumulator_value=_ADAGRAD_START)
    batch = min(BATCH, len(x))
    truth = torch.arange(batch)
    best, best_epoch, best_map = -1.0, 0, (weight.detach().numpy().copy(), 1.0)
    for epoch in range(1, epochs + 1):
        for rows in torch.randperm(len(x), generator=generator)[: len(x) // batch * batch].view(-1, batch):
            answers = y[rows]
            mapped = answers @ weight + own * answers
            loss = functional.cross_entropy(x[rows] @ mapped.T, truth, label_smoothing=SMOOTHING)
            if l2:  # half the squared norm, like TensorFlow's regulariser
                loss = loss + l2 / 2 * weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = dev.accuracy(weight, own)
        if accuracy > best:
            best, best_epoch, best_map = accuracy, epoch, (weight.detach().numpy().copy(), float(own.detach()))
        elif epoch - best_epoch >= PATIENCE:
            break
    return *best_map, best


class LinearMaps(Maps):
    """Compare y' = y W + a y with x plus a weighted sum of the k context turns: d^2 + 1 + k parameters.

    W and the k weights start at zero and a at 1, so untrained maps are the identity.
    """

    def __init__(self, dimension: int, turns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dimension, dimension))
        self.own = nn.Parameter(torch.ones(()))
        self.turn_weights = nn.Parameter(torch.zeros(turns - 1))

    def questions(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Maps`."""
        return vectors[:, 0] + torch.einsum("k,bkd->bd", self.turn_weights, vectors[:, 1:])

    def answers(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Maps`."""
        return vectors @ self.weight + self.own * vectors


class MapAdamW(Contrastive):
    """MAP with a temperature-scaled contrastive loss, AdamW, cosine scoring, and a weight for each context turn."""

    name = "map_adamw"

    def maps(self, dimension: int, turns: int) -> Maps:
        """See `Contrastive.maps`."""
        return LinearMaps(dimension, turns)
