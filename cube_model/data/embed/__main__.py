"""Encode in several processes: `accelerate launch -m cube_model.data.embed --data DATA --out VECTORS`."""

from __future__ import annotations

import typer

from cube_model._command import run_launched
from cube_model.data.embed.command import embed_texts
from cube_model.data.embed.config import EmbedConfig
from dataset_builders.common.command_options import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
@takes_options()
def embed(config: EmbedConfig) -> None:
    """Write the vectors of all distinct texts of a dataset, which other commands read with `--vectors`."""
    embed_texts(config)


def main() -> None:
    """Run the command."""
    run_launched(app, "the same command goes on with the shards that are missing")


if __name__ == "__main__":
    main()
