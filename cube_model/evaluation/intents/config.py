"""Configuration of an intent evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from cube_model.errors import ModelError
from cube_model.evaluation.config import EncoderDtype
from cube_model.vectors.option import vectors_option
from dataset_builders.common.options import Options, option

Label = Literal["intent", "scenario"]

LABELS: tuple[Label, ...] = get_args(Label)
"""Kinds of label: the intent, or its coarser class if the source has one (MASSIVE's scenario, CLINC150's domain)."""

Protocol = Literal["mteb", "1-shot", "5-shot", "10-shot", "knn", "prototype", "linear", "oos", "clustering"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True)
class IntentsConfig(Options, error=ModelError):
    """An evaluation of an encoder, or of a core's question encoding, on the intents of short utterances."""

    data: str = option(help="Dataset: folder written by `dialogue-cube build`, or Hub repository.")
    # Python also takes a SentenceTransformer
    encoder: Any = option(
        None,
        "Encoder: short name, folder or Hub repository; with a core, the location of its teacher.",
        none="minilm, or the core's teacher",
    )
    model: str | None = option(
        None, "Trained core whose question encoding is evaluated: folder or Hub repository.", none="none"
    )
    vectors: str | None = vectors_option()
    sources: list[str] | None = option(None, "Intent sets.", none="all")
    languages: list[str] | None = option(None, "BCP 47 tags; en includes en-US.", none="all", aliases=("--language",))
    protocols: list[Protocol] | None = option(None, "Protocols.", none="all", aliases=("--protocol",))
    labels: tuple[Label, ...] = option(LABELS, "Kinds of label to predict.")
    seeds: int | None = option(
        None, "Number of seeds.", low=1, none="1 (MTEB's) for the few-shot sampler, 5 for k-means"
    )
    dtype: EncoderDtype = option("float32", "Precision of the encoder; published results are in float32.")
