"""The trainer of sentence-transformers with our batches."""

from __future__ import annotations

from typing import Any

from sentence_transformers import SentenceTransformerTrainer

from cube_model.embedder.data import EmbedderData
from cube_model.embedder.pair_trainer import DistinctAnswersSampler
from cube_model.errors import ModelError


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

    def training_step(self, *args: Any, **options: Any) -> Any:
        """One step; a loss that is not finite ends the run, as nothing comes after it."""
        loss = super().training_step(*args, **options)
        if not loss.isfinite():
            raise ModelError(
                f"loss is {float(loss)} in step {self.state.global_step + 1}: stopped, nothing written; lower "
                f"--learning-rate (now {self.args.learning_rate})"
            )
        return loss

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: it reads all texts for statistics and quotes rows in the card."""
