"""Configuration of a response selection evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from cube_model.errors import ModelError
from cube_model.vectors.option import EncoderDtype as EncoderDtype
from cube_model.vectors.option import vectors_option
from dataset_builders.common.choices import Split
from dataset_builders.common.options import Options, option


@dataclass(frozen=True)
class ResponseSelectionConfig(Options, error=ModelError):
    """An evaluation of an encoder, or of a trained core on top of it, by response selection."""

    data: str = option(help="Dataset: folder written by `dialogue-cube build`, or Hub repository.")
    model: str | None = option(None, "Trained core: folder or Hub repository.", none="the encoder alone is evaluated")
    encoder: str | None = option(
        None,
        "Encoder: short name, folder or Hub repository; with a core, the location of its teacher.",
        none="minilm, or the core's teacher",
    )
    vectors: str | None = vectors_option()
    sources: list[str] | None = option(None, "Sources to evaluate on.", none="all")
    split: Split = option("test", "Split to evaluate on.")
    context_turns: int | None = option(
        None,
        "Largest number of context turns; every number from 0 is evaluated.",
        low=0,
        none="as many as the core reads, for an encoder 0",
    )
    max_pairs: int | None = option(None, "Maximum number of pairs, sampled with the seed.", low=2, none="all")
    seed: int = option(0, "Seed of sampling, batches and bootstrap.", low=0)
    draws: int = option(3, "Number of shuffles to average over.", low=1)
    dtype: EncoderDtype = option("auto", "Precision of the encoder; a core's teacher keeps that of the training.")
