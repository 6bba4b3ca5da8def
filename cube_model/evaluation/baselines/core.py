"""The core, trained by its own trainer and tuned on the same grid as the baselines."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from cube_model.data.training_data import TrainingData
from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.baselines.contrastive import GRID
from cube_model.evaluation.methods import core
from cube_model.training.config import TrainingConfig


class Core(Baseline):
    """The core, trained with `CubeTrainer`.

    Args:
        config: Training configuration, whose settings in `grid` are replaced; data and output are ignored. Default:
            `TrainingConfig()`.
    """

    name = "core"
    grid = GRID

    def __init__(self, config: TrainingConfig | None = None) -> None:
        # all methods select their epochs by the same validation pairs
        self.config = dataclasses.replace(
            config or TrainingConfig(), data=None, output=None, progress=False, validation="split"
        )

    def parameters(self, dimension: int, turns: int) -> int:
        """Return the number of parameters of the core, the budget of the other maps.

        Args:
            dimension: Dimension of the embeddings.
            turns: Number of turns in a question, including the question itself.
        """
        config = dataclasses.replace(self.config, embedding_dim=dimension, context_turns=turns - 1)
        return _count(config)

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`."""
        import torch

        from cube_model.training.trainer import CubeTrainer

        settings = dict(settings or self.grid[0])
        # the same number of threads as the other baselines makes the durations comparable
        config = dataclasses.replace(self.config, seed=seed, threads=torch.get_num_threads(), **settings)
        trainer = CubeTrainer(config)
        trainer.train(_Splits(train, validation))
        assert trainer.model is not None  # set by `train`
        method = core(trainer.model, self.name, train_size=len(train), turns=train.turns)
        return Fitted(method, settings, validation.accuracy(method, seed), trainer.progress.seconds)


@dataclass(frozen=True)
class _Splits:
    """Training and validation pairs in the form that `CubeTrainer.train` expects."""

    train: EmbeddedPairs
    validation: EmbeddedPairs

    def training_data(self) -> TrainingData:
        teacher: dict[str, Any] = {
            "name": "vectors",
            "fingerprint": self.train.pairs.fingerprint,
            "dimension": self.train.dimension,
        }
        pairs, vectors = (self.train.pairs, self.validation.pairs), (self.train.vectors, self.validation.vectors)
        return TrainingData(pairs[0], vectors[0], pairs[1], vectors[1], teacher)


def _count(config: TrainingConfig) -> int:
    import torch

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.modeling_cube import CubeModel

    shape = {**config.core(), "embedding_dim": config.embedding_dim, "context_turns": config.context_turns}
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in CubeModel(CubeConfig(**shape)).parameters())
