"""What `dialogue-cube embed` and `accelerate launch -m cube_model.data.embed` do."""

from __future__ import annotations

import typer

from cube_model._command import check_locations
from cube_model.data.embed.config import EmbedConfig
from dataset_builders.common.execution import ExecutionSettings


def embed_texts(config: EmbedConfig, execution: ExecutionSettings | None = None) -> None:
    """Encode the texts of a dataset and print a line about the result.

    Args:
        config: Configuration.
        execution: Where the work runs; see `embed_dataset`.

    Raises:
        ModelError: See `embed_dataset`.
    """
    check_locations(config.data)
    from cube_model.data.embed.ranks import Ranks
    from cube_model.data.embed.run import embed_dataset

    record = embed_dataset(config, execution)
    if Ranks().is_main:
        typer.echo(
            f"{config.out}: {record['texts']:,} texts by {record['teacher']['name']}, {record['dimension']} dimensions "
            f"in {record['precision']}, {len(record['shards'])} shards; read them with --vectors {config.out}"
        )
