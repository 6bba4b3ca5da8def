"""The strong form of MAP: the same map of the answers, trained as the core is."""

from __future__ import annotations

import torch
from torch import nn

from cube_model.evaluation.baselines.contrastive import Contrastive, Maps


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
