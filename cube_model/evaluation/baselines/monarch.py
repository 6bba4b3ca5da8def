"""Monarch maps (Dao et al. 2022, arXiv:2204.00595): two block-diagonal matrices with a transposition between them.

With b blocks a d x d matrix costs 2 d^2 / b numbers: 294,912 at d = 768 and b = 4.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from cube_model.evaluation.baselines.contrastive import Contrastive, Maps


class Monarch(nn.Module):
    """`[b, d]` -> `[b, d]`; the second factor starts at zero, so an untrained map gives zeros."""

    def __init__(self, dimension: int, blocks: int) -> None:
        super().__init__()
        side = dimension // blocks
        self.first = nn.Parameter(torch.randn(blocks, side, side) / math.sqrt(side))
        self.second = nn.Parameter(torch.zeros(blocks, side, side))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """See the class."""
        blocks, side, _ = self.first.shape
        first = torch.bmm(vectors.view(-1, blocks, side).transpose(0, 1), self.first)  # [blocks, b, side]
        # every block of the second factor gets numbers of every block of the first
        mixed = first.permute(1, 2, 0).reshape(-1, blocks, side).transpose(0, 1)
        return torch.bmm(mixed, self.second).transpose(0, 1).reshape(vectors.shape)


class MonarchMaps(Maps):
    """x plus a Monarch map of each turn of the question; y plus a Monarch map of the answer."""

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
    """Fits `MonarchMaps` with the number of blocks whose parameters come nearest to a budget."""

    name = "monarch"

    def __init__(self, budget: int) -> None:
        self.budget = budget

    def blocks(self, dimension: int, turns: int) -> int:
        """A divisor of d, at most sqrt(d): beyond it the second factor would not see all blocks of the first."""
        possible = [b for b in range(1, math.isqrt(dimension) + 1) if dimension % b == 0]
        return min(possible, key=lambda b: abs(2 * dimension**2 // b * (turns + 1) - self.budget))

    def maps(self, dimension: int, turns: int) -> Maps:
        """See `Contrastive.maps`."""
        return MonarchMaps(dimension, turns, self.blocks(dimension, turns))
