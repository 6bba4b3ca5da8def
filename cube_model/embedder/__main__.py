"""Fine-tune a text encoder on dialogue: `accelerate launch -m cube_model.embedder --data DATA --output DIR`.

The result is a native SentenceTransformer. Evaluate it, before and after, with
`dialogue-cube evaluate response-selection --data DATA --encoder DIR` and `dialogue-cube evaluate intents`.
"""

from __future__ import annotations

import typer

from cube_model._command import check_locations, run_launched
from cube_model.embedder.config import EmbedderConfig
from dataset_builders.common.command_options import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
@takes_options()
def embedder(config: EmbedderConfig) -> None:
    """Fine-tune a text encoder contrastively on the question -> answer pairs of a dataset.

    Only the train split is read, without the pairs that are flagged as leaks.
    """
    fine_tune(config)


def fine_tune(config: EmbedderConfig) -> None:
    """Fine-tune an encoder and print a line about it.

    Raises:
        ModelError: See `train_embedder`.
    """
    check_locations(config.data)
    from cube_model.embedder.trainer import train_embedder

    record = train_embedder(config)
    if record is not None:
        typer.echo(
            f"{config.output}: {record['steps']} steps, {record['data']['pairs']} pairs, loss "
            f"{record['loss_first']:.3f} -> {record['loss_last']:.3f}, {record['seconds']:.0f} s"
        )


def main() -> None:
    """Run the command."""
    run_launched(app)


if __name__ == "__main__":
    main()
