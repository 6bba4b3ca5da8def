"""What both commands do that train a core: `dialogue-cube train` and `accelerate launch -m cube_model.train`."""

from __future__ import annotations

import typer

from cube_model._command import check_locations
from cube_model.training.config import TrainingConfig


def train_core(config: TrainingConfig) -> None:
    """Train a core and print a line about it.

    Raises:
        ModelError: See `CubeTrainer.train`.
    """
    check_locations(config.data)
    from cube_model.training.trainer import CubeTrainer
    from cube_model.training.validation import selection_metric

    trainer = CubeTrainer(config)
    metrics = trainer.train()
    if not trainer.is_main:
        return
    selection = trainer.selection
    assert selection is not None  # set by `train`
    if selection.choice is not None:
        typer.echo(f"{metrics['output']}: {selection.summary()}, {metrics['seconds']:.0f} s")
        return
    key = selection_metric(config.mode, config.cosine_weight)
    name = {"accuracy_1_of_100": "1-of-100"}.get(key, "mean cosine")
    few = f" on only {selection.pairs:,} pairs (±{selection.half_width:.2f})" if selection.too_few else ""
    typer.echo(
        f"{metrics['output']}: best epoch {metrics['best_epoch']} of {metrics['epochs']}, validation {name} "
        f"{trainer.progress.history[0][key]:.3f} (untrained) -> {metrics[key]:.3f}{few}, {metrics['seconds']:.0f} s"
    )
