"""Configuration of a flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cube_model.errors import ModelError
from cube_model.vectors.option import encoder_option, languages_option, sources_option, vectors_option
from dataset_builders.common.choices import Split
from dataset_builders.common.options import Options, option

SCALE = 0.7
"""Default distance at which clusters are cut, as a share of the mean distance between two utterances of a speaker.

A share rather than a distance, since encoders differ in the distance of two random utterances. It was chosen on the
domains of SGD's training split, where all-MiniLM-L6-v2 then differs from the annotated actions by 34 % of the nodes
(40 % for .65, 35 % for .75); the test split was not read. `tests/benchmarks/bench_flow.py` measures it.
"""


@dataclass(frozen=True)
class FlowConfig(Options, error=ModelError):
    """A flow: dialogues become trajectories of clusters of utterances, and those a graph of transitions."""

    data: str = option(help="Dataset: folder written by `dialogue-cube build`, or Hub repository.")
    encoder: str = encoder_option("utterances")
    vectors: str | None = vectors_option()
    sources: list[str] | None = sources_option()
    domain: str | None = option(
        None, "Read only dialogues that have this domain and no other.", none="all dialogues, whatever their domains"
    )
    languages: list[str] | None = languages_option("--language")
    split: Literal[Split, "all"] = option("all", "Split to read, or all of them together.")
    threshold: float | None = option(
        None,
        "Cosine distance up to which utterances of a speaker are one step; a lower one gives more steps.",
        above=0,
        below=2,
        none=f"{SCALE:g} of the mean distance between two utterances of the speaker",
    )
    steps: int | None = option(
        None, "Number of different steps of each speaker, in place of a threshold.", low=1, none="by the threshold"
    )
    min_probability: float = option(0.1, "Smallest probability of a transition that is drawn.", low=0, high=1)
    min_share: float = option(
        0.023, "Smallest frequency of a step that is drawn, as a share of the most frequent one.", low=0, high=1
    )
    seed: int = option(0, "Seed of the sample that is clustered if there are too many utterances.", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None and self.steps is not None:
            raise ModelError("threshold and steps: both decide on the number of steps; give one of them")
