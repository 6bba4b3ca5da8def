"""Train a core: `accelerate launch -m cube_model.train --data DATA --output DIR`, or `python -m cube_model.train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cube_model._command import comma_list, run_launched
from cube_model.teacher.find import DEFAULT_TEACHER

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def train(
    data: Annotated[str, typer.Option(help="Folder made by `dialogue-cube build`, or Hub dataset repository.")],
    output: Annotated[Path, typer.Option(help="Folder to make; it appears whole, at the end.")],
    teacher: Annotated[
        str,
        typer.Option(help="Frozen encoder: minilm, mpnet, distilbert, multilingual-e5, a folder, a Hub repository."),
    ] = DEFAULT_TEACHER,
    sources: Annotated[str | None, typer.Option(help="Corpora to train on, by commas: sgd,woz. Default: all.")] = None,
    max_pairs: Annotated[int | None, typer.Option(min=2, help="At most so many training pairs.")] = None,
    max_validation_pairs: Annotated[int, typer.Option(min=1, help="At most so many validation pairs.")] = 10_000,
    mode: Annotated[str, typer.Option(help="dialogue: question to answer. autoencoder: through a code.")] = "dialogue",
    context_turns: Annotated[
        int, typer.Option(min=0, help="Earlier turns that the core reads besides the question.")
    ] = 0,
    hard_negatives: Annotated[int, typer.Option(min=0, help="Mined wrong answers of each pair to use.")] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the pairs; the best by validation is kept. Default: by their number."),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many epochs without a better one. Default: a quarter.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, help="Pairs a batch and process. Default: 512, less with few pairs.")
    ] = None,
    gradient_accumulation: Annotated[
        int, typer.Option(min=1, help="Batches a step; adds up gradients, not wrong answers.")
    ] = 1,
    learning_rate: Annotated[
        float | None, typer.Option(help="Highest learning rate. Default: 0.005, or 0.001 with few pairs.")
    ] = None,
    scheduler: Annotated[str, typer.Option(help="cosine, linear or constant_with_warmup.")] = "cosine",
    weight_decay: Annotated[float, typer.Option(min=0, help="Weight decay of AdamW.")] = 0.01,
    mixed_precision: Annotated[
        str | None, typer.Option(help="bf16 or no. Default: as accelerate launch was told.")
    ] = None,
    cosine_weight: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the cosine loss; the rest is contrastive.")
    ] = 0.0,
    noise: Annotated[
        float | None,
        typer.Option(min=0, help="Length of the noise on vectors of length 1 while training. Default: 0.3."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    global_units: Annotated[
        int | None, typer.Option(help="Units that all cells share. Default: the core's own.")
    ] = None,
    plane_units: Annotated[int | None, typer.Option(help="Units of each plane of the lattice.")] = None,
    cell_channels: Annotated[int | None, typer.Option(help="Hidden channels of the cell rule; 0: none.")] = None,
    steps: Annotated[int | None, typer.Option(help="Times the cell rule is applied.")] = None,
    map_answers: Annotated[
        bool | None, typer.Option("--map-answers/--keep-answers", help="Map the answer side too.")
    ] = None,
    code_size: Annotated[int | None, typer.Option(help="Numbers in the code of an autoencoder.")] = None,
    teacher_dtype: Annotated[
        str, typer.Option(help="float32, bfloat16, or auto: bfloat16 where the processor has it.")
    ] = "auto",
    tracker: Annotated[str, typer.Option(help="none, tensorboard, trackio, wandb, mlflow, ...")] = "none",
    checkpoint_every: Annotated[int, typer.Option(min=0, help="Steps between checkpoints; 0: one an epoch.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier core or interrupted run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Processor threads a process; 0: all cores, shared.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Train a 3D cubic core on the question -> answer pairs of a dataset.

    The train split trains, the validation split chooses the best epoch, the test split is never read.
    """
    options = dict(locals())
    from cube_model.training.config import TrainingConfig
    from cube_model.training.trainer import CubeTrainer
    from cube_model.training.validation import chosen_by

    options["sources"] = comma_list(sources)
    options["progress"] = not options.pop("quiet")
    options["output"] = str(output)
    trainer = CubeTrainer(TrainingConfig(**options))
    path = trainer.train()
    progress = trainer.progress
    figure = chosen_by(mode, cosine_weight)
    before, after = (progress.history[epoch][figure] for epoch in (0, progress.best_epoch))
    if trainer.is_main:
        name = {"accuracy_1_of_100": "1-of-100"}.get(figure, "mean cosine")
        typer.echo(
            f"{path}: best epoch {progress.best_epoch} of {progress.epoch}, validation {name} {before:.3f} (untrained) "
            f"-> {after:.3f}, {progress.seconds:.0f} s"
        )


def main() -> None:
    """Run the command."""
    run_launched(app)


if __name__ == "__main__":
    main()
