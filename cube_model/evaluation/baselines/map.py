"""MAP as PolyAI's conversational-datasets define it (Henderson et al. 2019, arXiv:1904.06472), and a stronger form.

As published, with its grid search: x and y of length 1; y' = y W + a y with W d x d (orthogonal at first) and a scalar
a (1 at first), on the answer's side; the score x . y' is NOT re-normalised; softmax cross-entropy over a batch of 256
with label smoothing 0.2 and no temperature; L2 on W; Adagrad; at most 100 epochs, patience 10; 80 % of the pairs train,
20 % choose epoch, learning rate and L2 by 1-of-100 accuracy. Earlier turns are not read.

`MapAdamW` is the same map of the answers, trained as the core is.
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
_ADAGRAD_START = 0.1  # TensorFlow's default, which the published code ran with; torch's is 0


class MapPolyAI(Baseline):
    """MAP; reported as `map` and, scored by cosine instead, as `map_renormalized`."""

    name = "map"
    grid = tuple({"learning_rate": rate, "l2": l2} for rate in LEARNING_RATES for l2 in REGULARIZERS)

    def __init__(self, epochs: int = EPOCHS) -> None:
        self.epochs = epochs

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; `validation` is not used, the protocol holds out a fifth of the training pairs."""
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        order = np.random.default_rng(seed).permutation(len(train))
        cut = max(1, len(train) * 4 // 5)
        kept, held = np.sort(order[:cut]), np.sort(order[cut:])
        x, y = torch.from_numpy(train.questions(slice(None), 1)[:, 0]), torch.from_numpy(train.answers())
        dev = _Dev(x[held], y[held], train.pairs.labels[held], seed)
        generator = torch.Generator().manual_seed(seed)
        weight, own, accuracy = _train(x[kept], y[kept], dev, generator, self.epochs, **settings)
        return Fitted(_method(self.name, weight, own, len(train)), settings, accuracy, time.monotonic() - started)

    def variants(self, fitted: Fitted) -> list[Fitted]:
        """As published, and with y' scaled to length 1 when scored."""
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
    """The held-out fifth and its fixed batches."""

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
    """Best W and a by dev accuracy, and that accuracy."""
    dimension = x.shape[1]
    weight = torch.empty(dimension, dimension)
    torch.nn.init.orthogonal_(weight, generator=generator)
    weight.requires_grad_()
    own = torch.ones((), requires_grad=True)
    optimizer = torch.optim.Adagrad([weight, own], lr=learning_rate, initial_accumulator_value=_ADAGRAD_START)
    batch = min(BATCH, len(x))
    truth = torch.arange(batch)
    best, best_epoch, kept = -1.0, 0, (weight.detach().numpy().copy(), 1.0)
    for epoch in range(1, epochs + 1):
        for rows in torch.randperm(len(x), generator=generator)[: len(x) // batch * batch].view(-1, batch):
            answers = y[rows]
            mapped = answers @ weight + own * answers
            loss = functional.cross_entropy(x[rows] @ mapped.T, truth, label_smoothing=SMOOTHING)
            if l2:  # half the squared norm, as TensorFlow's regulariser
                loss = loss + l2 / 2 * weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            reached = dev.accuracy(weight, own)
        if reached > best:
            best, best_epoch, kept = reached, epoch, (weight.detach().numpy().copy(), float(own.detach()))
        elif epoch - best_epoch >= PATIENCE:
            break
    return *kept, best


class LinearMaps(Maps):
    """y' = y W + a y against x plus a weighted sum of the turns before it: d^2 + 1 + k parameters.

    W starts at zero, a at 1 and the k weights at zero: untrained it is the identity.
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
    """MAP with a temperature-scaled contrastive loss, AdamW, cosine scoring, and a weight for each earlier turn."""

    name = "map_adamw"

    def maps(self, dimension: int, turns: int) -> Maps:
        """See `Contrastive.maps`."""
        return LinearMaps(dimension, turns)
