"""Configuration of a leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cube_model.errors import ModelError
from cube_model.evaluation.config import EncoderDtype
from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.vectors.option import vectors_option
from dataset_builders.common.options import Options, option

Method = Literal[
    "bm25",
    "tfidf",
    "sim",
    "ridge",
    "procrustes",
    "map",
    "map_adamw",
    "low_rank",
    "mlp_question",
    "mlp_both",
    "monarch",
    "core",
]
"""Names of `cube_model.evaluation.baselines.baselines`."""


@dataclass(frozen=True)
class LeaderboardConfig(Options, error=ModelError):
    """A comparison of the core with baselines on the same frozen embeddings."""

    data: str = option(help="Dataset: folder written by `dialogue-cube build`, or Hub repository.")
    teacher: str = option(DEFAULT_TEACHER, "Frozen encoder: short name, folder or Hub repository.")
    vectors: str | None = vectors_option()
    sources: list[str] | None = option(
        None, "Sources to train on; tests are on each of them and on all together.", none="all"
    )
    leave_out: str | None = option(
        None, "Zero-shot: the source to test on, which training and tuning leave out.", none="none"
    )
    context_turns: int = option(0, "Number of context turns that the methods may read.", low=0)
    train_sizes: tuple[int | Literal["all"], ...] = option(
        (1_000, 10_000, "all"), "Numbers of training pairs; one above the available pairs means all.", low=2
    )
    seeds: int = option(3, "Number of seeds.", low=1)
    methods: list[Method] | None = option(None, "Methods.", none="all")
    budget: int | None = option(
        None, "Target number of parameters for maps of adjustable size.", low=1, none="that of the core"
    )
    draws: int = option(3, "Number of shuffles of the test pairs to average over.", low=1)
    max_test_pairs: int | None = option(
        None, "Maximum number of test pairs, sampled with a fixed seed.", low=2, none="all"
    )
    max_validation_pairs: int = option(
        5_000, "Maximum number of pairs that select settings and epochs, sampled with a fixed seed.", low=2
    )
    tuning_pairs: int = option(
        10_000, "Maximum number of training pairs in a search over settings, the same for every method.", low=2
    )
    teacher_dtype: EncoderDtype = option("auto", "Precision of the teacher.")
