"""Options of `dialogue-cube map`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataset_builders.common.options import Options, option

Kind = Literal["utterances", "dialogues"]

LEAST = 20
"""Smallest number of points of a map."""


@dataclass(frozen=True)
class MapConfig(Options):
    """A 2-D layout of utterances or dialogues, in which neighbours have similar meanings."""

    database: Path = option(help="DuckDB file made by `database`, which gets the tables of the map.", in_result=False)
    data: str | None = option(None, "Dataset folder or Hub repository from which to update the database first.")
    kind: Kind = option("utterances", "What the points are.")
    vectors: Path | None = option(
        None,
        "Folder of `embed` with the vectors of the texts.",
        none="`vectors` beside the database, or else --encoder",
        in_result=False,
    )
    encoder: str = option("minilm", "Encoder of the texts if there are no vectors: short name, folder or Hub id.")
    max_points: int = option(500_000, "Largest number of points; of more, a random sample is drawn.", low=LEAST)
    fitted: int = option(
        20_000,
        "Number of points that t-SNE places, a random sample; every other point goes to its nearest ones.",
        low=LEAST,
    )
    seed: int = option(0, "Seed of the sample and the layout.", low=0)
