"""Fine-tune a text encoder on dialogue: `accelerate launch -m cube_model.embedder --data DATA --output DIR`.

The result is a native SentenceTransformer. It is judged, before and after, by
`dialogue-cube evaluate response-selection --data DATA --encoder DIR` and `dialogue-cube evaluate intents`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cube_model._command import comma_list, run_launched
from cube_model.teacher.find import DEFAULT_TEACHER

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def embedder(
    data: Annotated[str, typer.Option(help="Folder made by `dialogue-cube build`, or Hub dataset repository.")],
    output: Annotated[Path, typer.Option(help="Folder to make; it appears whole, at the end.")],
    base: Annotated[
        str, typer.Option(help="Encoder to start from: minilm, mpnet, ..., a folder, a Hub repository.")
    ] = DEFAULT_TEACHER,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a Hub base.")] = None,
    sources: Annotated[str | None, typer.Option(help="Corpora to train on, by commas: sgd,woz. Default: all.")] = None,
    direction: Annotated[str, typer.Option(help="user-system, system-user or both.")] = "user-system",
    max_pairs: Annotated[int | None, typer.Option(min=2, help="At most so many pairs of each direction.")] = None,
    context_turns: Annotated[int, typer.Option(min=0, help="Earlier turns put after the question.")] = 0,
    intent_positives: Annotated[
        bool, typer.Option("--intent-positives", help="Also pull utterances of one intent together.")
    ] = False,
    hard_negatives: Annotated[int, typer.Option(min=0, help="Mined wrong answers of each pair to use.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pairs.")] = 1,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many optimizer steps.")] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Pairs a batch and process.")] = 128,
    mini_batch_size: Annotated[
        int, typer.Option(min=1, help="Pairs computed at a time: less memory, same gradients.")
    ] = 256,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-4,
    scheduler: Annotated[str, typer.Option(help="linear, cosine or constant_with_warmup.")] = "linear",
    warmup: Annotated[float, typer.Option(min=0, help="Share of the steps that the learning rate rises for.")] = 0.1,
    weight_decay: Annotated[float, typer.Option(min=0, help="Weight decay of AdamW.")] = 0.01,
    scale: Annotated[float, typer.Option(help="Factor on the cosine: one over the temperature.")] = 20.0,
    symmetric: Annotated[
        bool, typer.Option("--symmetric/--one-way", help="Also tell the questions of an answer from each other.")
    ] = True,
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens read of a text in training. Default: 99 % of the texts fit.")
    ] = None,
    train_embeddings: Annotated[
        bool, typer.Option("--train-embeddings/--freeze-embeddings", help="Train the token embeddings too.")
    ] = True,
    dropout: Annotated[float, typer.Option(min=0, help="Share of the activations zeroed in training.")] = 0.0,
    mixed_precision: Annotated[str, typer.Option(help="bf16, no, or auto: bf16 where it is native.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 200,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output or interrupted run.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Processor threads a process; 0: all cores, shared.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Fine-tune a text encoder contrastively on the question -> answer pairs of a dataset.

    Only the train split is read, and no pair of it that is flagged as a leak.
    """
    options = dict(locals())
    from cube_model.embedder.config import EmbedderConfig
    from cube_model.embedder.trainer import train_embedder

    options["sources"] = comma_list(sources)
    options["progress"] = not options.pop("quiet")
    record = train_embedder(EmbedderConfig(**options))
    if record is not None:
        typer.echo(
            f"{output}: {record['steps']} steps, {record['data']['pairs']} pairs, loss {record['loss_first']:.3f} -> "
            f"{record['loss_last']:.3f}, {record['seconds']:.0f} s"
        )


def main() -> None:
    """Run the command."""
    run_launched(app)


if __name__ == "__main__":
    main()
