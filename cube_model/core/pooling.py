"""From the states of a text's tokens to one vector, wherever the padding is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

POOLINGS = ("mean", "cls", "last")


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Pool token states.

    Args:
        states: `[texts, tokens, d]`.
        mask: bool `[texts, tokens]`, True at real tokens: one run of them, with the padding right or left of it.
        pooling: `"mean"` over real tokens, `"cls"`: the first real token, `"last"`: the last real token.

    Returns:
        `[texts, d]`.
    """
    import torch

    if pooling == "mean":
        # where, not a product: the state of a padding token may be NaN
        return torch.where(mask[..., None], states, 0).sum(1) / mask.sum(1, keepdim=True)
    first = mask.int().argmax(1)
    chosen = first if pooling == "cls" else first + mask.sum(1) - 1
    return states[torch.arange(len(states), device=states.device), chosen]
