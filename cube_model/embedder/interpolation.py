"""The mean of an encoder's weights before and after training, which keeps more of what the base knows.

Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022 (arXiv:2109.01903): a weighted mean is often better
than either end, on data like those of the training and on others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


def copy_of_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of all weights, by name."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def move_towards(model: nn.Module, weights: dict[str, torch.Tensor], share: float) -> None:
    """Replace each weight by a mean of itself and an earlier one.

    Args:
        model: The model; changed in place.
        weights: Weights of `copy_of_weights`.
        share: What the earlier weights count, from 0 (nothing) to 1 (all).

    >>> import torch
    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> earlier = {"weight": torch.tensor([[2.0]])}
    >>> _ = layer.weight.data.fill_(4.0)
    >>> move_towards(layer, earlier, 0.25)
    >>> layer.weight.item()
    3.5
    """
    for name, tensor in model.state_dict().items():  # tensors of the model itself
        if tensor.is_floating_point():
            tensor.lerp_(weights[name].to(tensor), share)
