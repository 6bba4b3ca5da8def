"""The contrastive loss: multiple negatives ranking, with little padding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)

if TYPE_CHECKING:
    from cube_model.embedder.config import EmbedderConfig

_TEXTS_AT_ONCE = 32
"""Texts of similar length that are encoded together: fewer are slower, more need more padding."""


class ByLengthRankingLoss(MultipleNegativesRankingLoss):
    """`MultipleNegativesRankingLoss` that encodes texts in groups of similar length: the same loss in less time.

    Turns have 16 tokens on average, but the longest of 128 has 40, to which all would be padded.
    """

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: torch.Tensor) -> torch.Tensor:
        """Loss of a batch; `sentence_features`: tokens of anchors, positives and negatives, `[batch, width]` each."""
        return self.compute_loss_from_embeddings([self._encode(tokens) for tokens in sentence_features], labels)

    def _encode(self, tokens: dict[str, Any]) -> torch.Tensor:
        """Embeddings `[batch, dimension]`, in the order of the batch."""
        mask = tokens["attention_mask"]
        order = mask.sum(dim=1).argsort(stable=True)
        vectors = []
        for rows in order.split(_TEXTS_AT_ONCE):
            width = int(mask[rows].any(dim=0).nonzero().max()) + 1  # left padding stays
            part = {key: _cut(value, rows, mask.shape, width) for key, value in tokens.items()}
            vectors.append(self.model(part)["sentence_embedding"])
        return torch.cat(vectors)[order.argsort()]


def contrastive_loss(config: EmbedderConfig, model: SentenceTransformer, processes: int) -> torch.nn.Module:
    """Multiple negatives ranking, with gradient caching where a batch is computed in parts.

    References:
        Henderson et al. 2017, https://arxiv.org/abs/1705.00652, section 4.4; Gao et al. 2021,
        https://arxiv.org/abs/2101.06983 (gradient caching).
    """
    options: dict[str, Any] = {"scale": config.scale, "gather_across_devices": processes > 1}
    if config.symmetric:
        options |= {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    if config.mini_batch_size < config.batch_size:
        return CachedMultipleNegativesRankingLoss(model, mini_batch_size=config.mini_batch_size, **options)
    return ByLengthRankingLoss(model, **options)


def _cut(value: Any, rows: torch.Tensor, shape: torch.Size, width: int) -> Any:
    """`rows` of a tensor with a value per token, up to `width`; any other value unchanged."""
    if not isinstance(value, torch.Tensor) or value.shape[:2] != shape:
        return value
    return value[rows, :width]
