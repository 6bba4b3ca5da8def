"""The contrastive loss of a run: multiple negatives ranking, computed without paying for padding."""

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
"""Texts of like length computed together: fewer are slower by themselves, more are padded more."""


class ByLengthRankingLoss(MultipleNegativesRankingLoss):
    """`MultipleNegativesRankingLoss` whose texts are encoded in groups of like length: the same loss, sooner.

    Turns have 16 tokens in the mean, yet the longest of 128 has 40, to which all are padded otherwise.
    """

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: torch.Tensor) -> torch.Tensor:
        """Loss of a batch; `sentence_features`: tokens of anchors, positives and negatives, `[batch, width]` each."""
        return self.compute_loss_from_embeddings([self._encode(tokens) for tokens in sentence_features], labels)

    def _encode(self, tokens: dict[str, Any]) -> torch.Tensor:
        """Vectors `[batch, dimension]`, in the order of the batch."""
        mask = tokens["attention_mask"]
        order = mask.sum(dim=1).argsort(stable=True)
        vectors = []
        for rows in order.split(_TEXTS_AT_ONCE):
            width = int(mask[rows].any(dim=0).nonzero().max()) + 1  # padding on the left stays
            part = {key: _cut(value, rows, mask.shape, width) for key, value in tokens.items()}
            vectors.append(self.model(part)["sentence_embedding"])
        return torch.cat(vectors)[order.argsort()]


def contrastive_loss(config: EmbedderConfig, model: SentenceTransformer, processes: int) -> torch.nn.Module:
    """Multiple negatives ranking; with gradient caching where a batch is computed in parts.

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
    """`rows` of a tensor that holds something of each token, up to `width`; anything else as it is."""
    if not isinstance(value, torch.Tensor) or value.shape[:2] != shape:
        return value
    return value[rows, :width]
