"""Train a core: `accelerate launch -m cube_model.train --data DATA --output DIR`, or `python -m cube_model.train`."""

from __future__ import annotations

import typer

from cube_model._command import run_launched
from cube_model.training.config import TrainingConfig
from dataset_builders.common.command_options import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
@takes_options(data=..., output=..., context_turns=0)
def train(config: TrainingConfig) -> None:
    """Train a 3D cubic core on the question -> answer pairs of a dataset.

    The train split trains, the validation split selects the best epoch, the test split is never read.
    """
    from cube_model.training.trainer import CubeTrainer
    from cube_model.training.validation import selection_metric

    trainer = CubeTrainer(config)
    metrics = trainer.train()
    if trainer.is_main:
        key = selection_metric(config.mode, config.cosine_weight)
        name = {"accuracy_1_of_100": "1-of-100"}.get(key, "mean cosine")
        typer.echo(
            f"{metrics['output']}: best epoch {metrics['best_epoch']} of {metrics['epochs']}, validation {name} "
            f"{trainer.progress.history[0][key]:.3f} (untrained) -> {metrics[key]:.3f}, {metrics['seconds']:.0f} s"
        )


def main() -> None:
    """Run the command."""
    run_launched(app)


if __name__ == "__main__":
    main()
