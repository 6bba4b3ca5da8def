"""Configurations of the commands on a user's intents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cube_model.errors import ModelError
from cube_model.vectors.option import (
    data_option,
    encoder_option,
    languages_option,
    own_option,
    sources_option,
    vectors_option,
)
from dataset_builders.common.choices import Split
from dataset_builders.common.options import Options, option

SCALE = 0.6
"""Default distance at which clusters are cut, as a share of the mean distance between two utterances.

Chosen on 3,000 training rows each of Banking77, CLINC150 and HWU64 with all-MiniLM-L6-v2: .5 has a V-measure higher by
.002 on average and a fifth more clusters, .7 one lower by .013. `tests/benchmarks/bench_intents.py` measures it.
"""


@dataclass(frozen=True)
class _UtterancesConfig(Options, error=ModelError):
    """Which utterances are read, and their encoder."""

    data: str | None = data_option()
    own: list[str] | None = own_option("texts: chats, tables, or a text file with one utterance a line")
    encoder: str = encoder_option("utterances")
    vectors: str | None = vectors_option()
    sources: list[str] | None = sources_option()
    languages: list[str] | None = languages_option("--language")
    splits: list[Split] | None = option(None, "Splits of the dataset to read.", none="train")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data is None and not self.own:
            raise ModelError("no utterances: pass a dataset (--data), your own files (--own), or both")


@dataclass(frozen=True)
class TrainIntentsConfig(_UtterancesConfig, error=ModelError):
    """A head on a frozen encoder that tells the intents of utterances, from labelled examples."""

    own: list[str] | None = own_option("labelled utterances, such as a table with the columns text and intent")
    out_of_scope: str | None = option(
        None,
        "Text file of utterances that belong to none of the intents, one a line; they set the threshold.",
        none="the rows that are marked so",
    )
    accepted: float = option(
        0.95, "Share of the utterances in scope to accept, where none out of scope are at hand.", above=0, below=1
    )
    seed: int = option(0, "Seed of the folds.", low=0)


@dataclass(frozen=True)
class PredictIntentsConfig(Options, error=ModelError):
    """The intents of utterances."""

    intents: str = option(help="Folder written by `dialogue-cube train-intents`.")
    encoder: str | None = option(
        None, "Location of the encoder that the intents were trained with.", none="its recorded name"
    )
    level: int | None = option(
        None, "Level of hierarchical names such as billing/refund, from 1 at the top.", low=1, none="the whole names"
    )


@dataclass(frozen=True)
class SuggestIntentsConfig(_UtterancesConfig, error=ModelError):
    """Clusters of unlabelled utterances with proposed names, as a start for labelling."""

    rows: Literal["utterances", "turns"] = option(
        "utterances", "Rows of the dataset: the utterances of intent sets, or what users say in dialogues."
    )
    threshold: float | None = option(
        None,
        "Cosine distance up to which utterances are one cluster; a lower one gives more clusters.",
        above=0,
        below=2,
        none=f"{SCALE:g} of the mean distance between two utterances",
    )
    clusters: int | None = option(None, "Number of clusters, in place of a threshold.", low=2, none="by the threshold")
    min_size: int = option(
        4, "Smallest cluster that gets a name; the utterances of smaller ones are listed last.", low=1
    )
    seed: int = option(0, "Seed of the sample that is clustered if there are too many utterances.", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None and self.clusters is not None:
            raise ModelError("threshold and clusters: both decide on the number of clusters; give one of them")
