"""The core itself, trained by its own trainer with the grid of the other baselines."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings
from cube_model.evaluation.baselines.contrastive import GRID, schedule
from cube_model.evaluation.methods import core
from cube_model.training_config import TrainingConfig


class Core(Baseline):
    """Trains through `CubeTrainer`.

    Args:
        config: Data, teacher, turns and seed of the run; the pairs that `fit` is given must be those it names.
    """

    name = "core"
    grid = GRID

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`."""
        from cube_model.retriever import load_core
        from cube_model.trainer import RECORD, CubeTrainer

        settings = dict(settings or self.grid[0])
        batch, epochs = schedule(len(train))
        with tempfile.TemporaryDirectory(prefix="dialogue-cube-") as folder:
            output = Path(folder) / "core"
            run = dataclasses.replace(
                self.config,
                output=str(output),
                batch_size=batch,
                epochs=epochs,
                patience=max(3, epochs // 4),
                seed=seed,
                progress=False,
                **settings,
            )
            CubeTrainer(run).train()
            model = load_core(output)
            record = json.loads((output / RECORD).read_text(encoding="utf-8"))
        method = core(model, self.name, train_size=len(train), turns=train.turns)
        accuracy = record["history"][record["best_epoch"]]["accuracy_1_of_100"]
        return Fitted(method, settings, accuracy, record["seconds"])
