"""Residual maps with one hidden layer, linear (low rank) or not: x + read-out of units that read x and its context.

The hidden size is the largest one within a parameter budget.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from cube_model.evaluation.baselines.contrastive import Contrastive, Maps


class Residual(nn.Module):
    """Map `[b, turns, d]` to the first turn plus `(activation(s flat(turns) @ read + bias) @ write + bias) / s`.

    s = sqrt(d). The read-out starts at zero, so an untrained map is the identity. Without activation there are no
    biases, which gives a low-rank map.
    """

    def __init__(self, dimension: int, turns: int, hidden: int, activation: bool) -> None:
        super().__init__()
        self.read = nn.Linear(turns * dimension, hidden, bias=activation)
        self.write = nn.Linear(hidden, dimension, bias=activation)
        self.activation = activation
        # like in the core, inner components are near 1, so that Adam's step size suits weights of 1 / sqrt(inputs)
        self.scale = math.sqrt(dimension)
        nn.init.normal_(self.read.weight, std=1 / math.sqrt(turns * dimension))
        for parameter in self.write.parameters():
            nn.init.zeros_(parameter)
        if self.read.bias is not None:
            nn.init.zeros_(self.read.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """See the class."""
        active = self.read(vectors.flatten(1) * self.scale)
        return vectors[:, 0] + self.write(functional.gelu(active) if self.activation else active) / self.scale


class ResidualMaps(Maps):
    """A residual map of the questions and, if `both`, one of the answers."""

    def __init__(self, dimension: int, turns: int, hidden: int, *, activation: bool, both: bool) -> None:
        super().__init__()
        self.question_map = Residual(dimension, turns, hidden, activation)
        self.answer_map = Residual(dimension, 1, hidden, activation) if both else None

    def questions(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Maps`."""
        return self.question_map(vectors)

    def answers(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Maps`."""
        return vectors if self.answer_map is None else self.answer_map(vectors[:, None])


class ResidualBaseline(Contrastive):
    """`ResidualMaps` within a parameter budget.

    Args:
        name: Name of the baseline.
        budget: Maximum number of parameters.
        activation: Use GELU and biases, which gives a perceptron; otherwise the map is a low-rank one.
        both: Map the answers too.
    """

    def __init__(self, name: str, budget: int, *, activation: bool, both: bool) -> None:
        self.name, self.budget, self.activation, self.both = name, budget, activation, both

    def hidden(self, dimension: int, turns: int) -> int:
        """Return the largest hidden size within the budget, at least 1.

        A map that reads c turns has (c + 1) d h parameters, and h + d biases with activation.
        """
        input_turns = (turns, 1) if self.both else (turns,)
        per_unit = sum((c + 1) * dimension + self.activation for c in input_turns)
        fixed = len(input_turns) * dimension * self.activation
        return max(1, (self.budget - fixed) // per_unit)

    def maps(self, dimension: int, turns: int) -> Maps:
        """See `Contrastive.maps`."""
        hidden = self.hidden(dimension, turns)
        return ResidualMaps(dimension, turns, hidden, activation=self.activation, both=self.both)
