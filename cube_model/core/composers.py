"""Ways to compose the vectors of turns into one: the cubic core, and what it is compared with.

Each maps `[n, 1 + k, d]`, the question first and then the turns before it, most recent first, a row of zeros for a
missing turn, to `[n, d]`. Untrained, all but the mean return the question.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import initialization as init


class MeanOfTurns(nn.Module):
    """The mean of the turns that are there."""

    def forward(self, turns: torch.Tensor) -> torch.Tensor:
        """Compose turns, see the module."""
        return turns.sum(1) / present(turns).sum(1, keepdim=True)


class Residual(nn.Linear):
    """What is added to the question: nothing, before training."""


class AttentionOverTurns(nn.Module):
    """The question, plus what one layer of attention from it to all turns reads.

    Args:
        dimension: Dimension of the vectors.
        turns: Maximum number of turns, including the question.
        heads: Number of heads.
    """

    def __init__(self, dimension: int, turns: int, heads: int = 4) -> None:
        super().__init__()
        width = heads * max(1, dimension // (4 * heads))  # four matrices of a quarter of dimension x dimension
        self.heads = heads
        self.position = nn.Parameter(torch.empty(turns, dimension))
        self.read = nn.Parameter(torch.empty(3, width, dimension))  # of queries, keys and values
        self.read_bias = nn.Parameter(torch.empty(3, width))
        self.write = Residual(width, dimension)

    def forward(self, turns: torch.Tensor) -> torch.Tensor:
        """Compose turns, see the module."""
        scale = math.sqrt(turns.shape[-1])  # components of a unit vector are near 1/sqrt(d)
        inputs = turns * scale + self.position[: turns.shape[1]]
        query, keys, values = (
            functional.linear(part, weight, bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part, weight, bias in zip((inputs[:, :1], inputs, inputs), self.read, self.read_bias, strict=True)
        )
        mask = present(turns)[:, None, None]
        attended = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        return turns[:, 0] + self.write(attended.transpose(1, 2).flatten(1)) / scale


class GruOverTurns(nn.Module):
    """The question, plus what a recurrent network reads from all turns, oldest first.

    Args:
        dimension: Dimension of the vectors.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(dimension, max(1, dimension * 5 // 24))
        self.write = Residual(self.cell.hidden_size, dimension)

    def forward(self, turns: torch.Tensor) -> torch.Tensor:
        """Compose turns, see the module."""
        scale = math.sqrt(turns.shape[-1])
        state = turns.new_zeros(len(turns), self.cell.hidden_size)
        for turn, there in zip(reversed(turns.unbind(1)), reversed(present(turns).unbind(1)), strict=True):
            state = torch.where(there[:, None], self.cell(turn * scale, state), state)
        return turns[:, 0] + self.write(state) / scale


def present(turns: torch.Tensor) -> torch.Tensor:
    """Return which turns are there, bool `[n, turns]`."""
    return turns.ne(0).any(-1)


def make_composer(kind: str, dimension: int, context_turns: int, core: dict[str, Any] | None = None) -> nn.Module:
    """Make an untrained composer.

    Args:
        kind: One of `COMPOSERS`.
        dimension: Dimension d of the vectors.
        context_turns: Maximum number of turns before the question.
        core: For a cubic core, arguments of `CubeConfig` other than dimension and number of turns.
    """
    if kind == "cube":
        from .configuration_cube import CubeConfig  # only now: the import of a core registers encoders of turns, too
        from .modeling_cube import CubeModel

        # answers stay vectors of the encoder, so all parameters go to the questions
        shape: dict[str, Any] = {"map_answers": False, "global_units": max(1, dimension * 5 // 12), **(core or {})}
        return CubeModel(CubeConfig(embedding_dim=dimension, context_turns=context_turns, **shape))
    if kind == "attention":
        return AttentionOverTurns(dimension, 1 + context_turns)
    return GruOverTurns(dimension) if kind == "gru" else MeanOfTurns()


def initialize(module: nn.Module) -> None:
    """Initialise the weights that a module of this file holds itself."""
    if isinstance(module, AttentionOverTurns):
        init.zeros_(module.position)
        init.normal_(module.read, std=1 / math.sqrt(module.read.shape[-1]))
        init.zeros_(module.read_bias)
    elif isinstance(module, nn.GRUCell):
        bound = 1 / math.sqrt(module.hidden_size)
        for weight in module.parameters():
            init.uniform_(weight, -bound, bound)
    elif isinstance(module, Residual):
        init.zeros_(module.weight)
        init.zeros_(module.bias)
