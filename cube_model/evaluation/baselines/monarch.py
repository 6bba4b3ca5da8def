"""Monarch maps (Dao et al. 2022, arXiv:2204.00595): two block-diagonal matrices with a transposition between them.

With b blocks, a d x d map has 2 d^2 / b parameters: 294,912 for d = 768 and b = 4.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from cube_model.evaluation.baselines.contrastive import Contrastive, Maps


class Monarch(nn.Module):
    """Map `[b, d]` -> `[b, d]`. The second factor starts at zero, so an untrained map returns zeros."""

    def __init__(self, dimension: int, blocks: int) -> None:
        super().__init__()
        size = dimension // blocks
        self.first = nn.Parameter(torch.randn(blocks, size, size) / math.sqrt(size))
        self.second = nn.Parameter(torch.zeros(blocks, size, size))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """See the class."""
        blocks, size, _ = self.first.shape
        first = torch.bmm(vectors.view(-1, blocks, size).transpose(0, 1), self.first)  # [blocks, b, size]
        # each block of the second factor reads components from every block of the first
        mixed = first.permute(1, 2, 0).reshape(-1, blocks, size).transpose(0, 1)
        return torch.bmm(mixed, self.second).transpose(0, 1).reshape(vectors.shape)


class MonarchMaps(Maps):
    """x plus a Monarch map of each turn of the question, and y plus a Monarch map of the answer."""

    def __init__(self, dimension: int, turns: int, blocks: int) -> None:
        super().__init__()
        self.turn_maps = nn.ModuleList(Monarch(dimension, blocks) for _ in range(turns))
        self.answer_map = Monarch(dimension, blocks)

    def questions(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Maps`."""
        mapped = vectors[:, 0]
        for turn, turn_map in enumerate(self.turn_maps):
            mapped = mapped + turn_map(vectors[:, turn].contiguous())
        return mapped

    def answers(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Maps`."""
        return vectors + self.answer_map(vectors)


class MonarchBaseline(Contrastive):
    """`MonarchMaps` with a number of parameters as close as possible to a budget.

    Args:
        budget: Target number of parameters.
    """

    name = "monarch"

    def __init__(self, budget: int) -> None:
        self.budget = budget

    def blocks(self, dimension: int, turns: int) -> int:
        """Return the number of blocks: a divisor of d.

        It is at most sqrt(d), as otherwise the second factor does not read from every block of the first.
        """
        divisors = [b for b in range(1, math.isqrt(dimension) + 1) if dimension % b == 0]
        return min(divisors, key=lambda b: abs(2 * dimension**2 // b * (turns + 1) - self.budget))

    def maps(self, dimension: int, turns: int) -> Maps:
        """See `Contrastive.maps`."""
        return MonarchMaps(dimension, turns, self.blocks(dimension, turns))
