"""The trainer of sentence-transformers with our batches, and the loss that a run wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)

from cube_model.embedder_batches import DistinctAnswersSampler
from cube_model.embedder_config import EmbedderConfig
from cube_model.embedder_data import EmbedderData

if TYPE_CHECKING:
    import torch


class PairTrainer(SentenceTransformerTrainer):
    """Trains on batches in which nothing is said twice, and writes no card.

    Args:
        data: The pairs, in the order of the training set.
        **options: Of `SentenceTransformerTrainer`.
    """

    def __init__(self, *, data: EmbedderData, **options: Any) -> None:
        self._pairs = data
        super().__init__(**options)

    def get_batch_sampler(self, dataset: Any, batch_size: int, *args: Any, **options: Any) -> DistinctAnswersSampler:
        """See `DistinctAnswersSampler`; the library asks for subclasses to be given here."""
        return DistinctAnswersSampler(
            self._pairs.anchors,
            self._pairs.answer_ids,
            self._pairs.groups,
            batch_size=batch_size,
            processes=self.args.world_size,
            seed=self.args.seed,
        )

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: it reads all texts for statistics and quotes rows in the card."""


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
    return MultipleNegativesRankingLoss(model, **options)
