"""Configuration of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from cube_model.errors import ModelError
from cube_model.evaluation.config import EncoderDtype
from cube_model.vectors.option import vectors_option
from dataset_builders.common.options import Options, option

Task = Literal["responses", "intents", "actions", "dialogues", "cost"]

TASKS: tuple[Task, ...] = get_args(Task)
"""Response selection; intents of short utterances; dialogue acts and slots; whole dialogues; parameters and speed."""


@dataclass(frozen=True)
class BenchmarkConfig(Options, error=ModelError):
    """A benchmark of an encoder, or of a trained core on top of it."""

    data: str | None = option(
        None,
        "Dataset: folder written by `dialogue-cube build`, or Hub repository.",
        none="only the action set and the cost are measured",
    )
    # Python also takes a SentenceTransformer
    encoder: Any = option(
        None,
        "Encoder: short name, folder or Hub repository; with a core, the location of its teacher.",
        none="minilm, or the core's teacher",
    )
    model: str | None = option(None, "Trained core on top of the encoder: folder or Hub repository.", none="none")
    vectors: str | None = vectors_option()
    tasks: list[Task] | None = option(None, "Tasks.", none="all that the data allow")
    action_set: str | None = option(
        None, "Dialog2Flow's published evaluation set, a JSON file.", none="actions of the dataset only"
    )
    sources: list[str] | None = option(None, "Sources to evaluate on.", none="all")
    seen_sources: list[str] | None = option(
        None, "Sources that the encoder was trained on.", none="those that its training.json records"
    )
    languages: list[str] | None = option(None, "BCP 47 tags; en includes en-US.", none="all", aliases=("--language",))
    context_turns: int = option(2, "Number of turns before a question that are read with it.", low=1)
    max_rows: int | None = option(
        None,
        "Maximum number of test rows of each part, sampled with the seed; the published action set stays whole.",
        low=2,
        none="all",
    )
    seed: int = option(0, "Seed of samples, draws and intervals.", low=0)
    dtype: EncoderDtype = option("float32", "Precision of the encoder; a core's teacher keeps that of the training.")
