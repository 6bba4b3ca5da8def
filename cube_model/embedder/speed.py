"""What a training step of an encoder costs on a processor, beside its matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@contextmanager
def trained_with(model: SentenceTransformer, dropout: float, *, on_processor: bool) -> Iterator[None]:
    """Train under it: `dropout` in place of the base's own, and on a processor the attention that is fastest there.

    Random numbers are drawn by one thread, a third of a step with dropout .1; and PyTorch's fused attention, made for
    long texts, takes longer to go backwards through turns of twenty tokens than all the rest of the step
    (`tests/benchmarks/bench_embedder.py`). Afterwards all is as before.

    Args:
        model: What is trained.
        dropout: Share of the activations zeroed.
        on_processor: Trained on a processor, not a graphics card.
    """
    import torch

    layers = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    own = [layer.p for layer in layers]
    encoder = cast("Any", model[0]).auto_model
    attention = encoder.config._attn_implementation
    for layer in layers:
        layer.p = dropout
    if on_processor:
        encoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        for layer, share in zip(layers, own, strict=True):
            layer.p = share
        if on_processor:
            encoder.set_attn_implementation(attention)
