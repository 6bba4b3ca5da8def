"""Pool the token states of a text into one vector, whichever side the padding is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

POOLINGS = ("mean", "cls", "last")


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: str, normalize: bool = False) -> torch.Tensor:
    """Pool token states into text vectors.

    Args:
        states: Token states `[texts, tokens, d]`.
        mask: Boolean mask `[texts, tokens]`, True for real tokens, which must be contiguous in each text.
        pooling: `"mean"` of the real tokens, `"cls"` for the first one, or `"last"` for the last one.
        normalize: Whether to scale the vectors to norm 1.

    Returns:
        Text vectors `[texts, d]`.
    """
    import torch

    if pooling == "mean":
        # not a product with the mask: the state of a padding token may be NaN
        vectors = torch.where(mask[..., None], states, 0).sum(1) / mask.sum(1, keepdim=True)
    else:
        first = mask.int().argmax(1)
        position = first if pooling == "cls" else first + mask.sum(1) - 1
        rows = position[:, None, None].expand(-1, 1, states.shape[-1])
        vectors = states.gather(1, rows).squeeze(1)  # other ways of indexing fix the sizes of an exported graph
    return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors
