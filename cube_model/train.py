"""Train a core: `accelerate launch -m cube_model.train --data DATA --output DIR`, or `python -m cube_model.train`."""

from __future__ import annotations

import typer

from cube_model._command import run_launched
from cube_model.training.command import train_core
from cube_model.training.config import TrainingConfig
from dataset_builders.common.command_options import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
@takes_options(data=..., output=..., context_turns=0)
def train(config: TrainingConfig) -> None:
    """Train a 3D cubic core on the question -> answer pairs of a dataset.

    The train split trains, the validation split selects the best epoch (a small one does so with the train split, by
    cross-validation), the test split is never read.
    """
    train_core(config)


def main() -> None:
    """Run the command."""
    run_launched(app)


if __name__ == "__main__":
    main()
