"""Configuration of a build of an assistant."""

from __future__ import annotations

from dataclasses import dataclass

from cube_model.errors import ModelError
from cube_model.vectors.option import (
    EncoderDtype,
    data_option,
    encoder_option,
    languages_option,
    own_option,
    sources_option,
    vectors_option,
)
from dataset_builders.common.choices import Split
from dataset_builders.common.options import Options, option


@dataclass(frozen=True)
class AssistantConfig(Options, error=ModelError):
    """An assistant: questions with their answers, an encoder that compares questions, and when to refuse."""

    data: str | None = data_option()
    own: list[str] | None = own_option("questions and answers, or chats")
    encoder: str = encoder_option("questions")
    dtype: EncoderDtype = option("float32", "Precision of the encoder; a core's teacher keeps that of the training.")
    core: str | None = option(
        None,
        "Core that was trained on the encoder, which composes a question with the turns before it: folder or Hub "
        "repository.",
        none="the encoder alone",
    )
    intents: str | None = option(
        None, "Intents that were trained on the encoder: folder written by `dialogue-cube train-intents`.", none="none"
    )
    vectors: str | None = vectors_option()
    sources: list[str] | None = sources_option()
    languages: list[str] | None = languages_option()
    language: str = option("und", "BCP 47 tag of rows of --own that name no language.")
    splits: list[Split] | None = option(
        None,
        "Splits whose answers are used.",
        none="train; all of a source with one question in each dialogue, such as a FAQ",
    )
    max_answers: int | None = option(
        None, "Maximum number of questions with their answers; more are sampled at random.", low=1, none="all"
    )
    out_of_scope: str | None = option(
        None,
        "Text file of questions that must be refused, one a line; they calibrate the refusals.",
        none="those of the dataset that are marked so",
    )
    max_refused: float = option(0.1, "Largest share of answerable questions that may be refused.", above=0, below=1)
    seed: int = option(0, "Seed of all samples.", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data is None and not self.own:
            raise ModelError("an assistant needs answers: pass a dataset (--data), your own files (--own), or both")


@dataclass(frozen=True)
class CalibrateConfig(Options, error=ModelError):
    """The questions that an assistant is calibrated on again, beside those of its own answers."""

    data: str | None = option(
        None,
        "Dataset that it was built from, whose validation split calibrates it.",
        none="only its own questions, as for a FAQ",
    )
    out_of_scope: str | None = option(
        None,
        "Text file of questions that must be refused, one a line.",
        none="those of the dataset that are marked so",
    )
    max_refused: float | None = option(
        None, "Largest share of answerable questions that may be refused.", above=0, below=1, none="as before"
    )
