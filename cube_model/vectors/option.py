"""The options of every command that encodes texts; nothing heavy is imported here."""

from __future__ import annotations

from typing import Any, Literal

from cube_model.teacher.find import DEFAULT_TEACHER
from dataset_builders.common.options import option

EncoderDtype = Literal["float32", "bfloat16", "float16", "auto"]
"""Precision of an encoder; `auto` is bfloat16 on hardware with native support, else float32."""

HELP = "Folder of vectors written by `dialogue-cube embed`, read in place of encoding."


def vectors_option() -> Any:
    """Return the field of an options class."""
    return option(None, HELP, none="only the embedding cache is searched", in_result=False)


def data_option() -> Any:
    """Return the field of a dataset beside which own files may be read."""
    return option(None, "Dataset: folder written by `dialogue-cube build`, or Hub repository.", none="only --own")


def own_option(what: str) -> Any:
    """Return the field of a user's own files, such as "questions and answers"."""
    return option(
        None, f"File or folder of your own {what}; repeatable.", none="only --data", repeatable=True, flags=("--own",)
    )


def encoder_option(what: str) -> Any:
    """Return the field of the encoder of texts, such as "utterances"."""
    return option(DEFAULT_TEACHER, f"Encoder of the {what}: short name, folder or Hub repository.")


def sources_option() -> Any:
    """Return the field of the sources that are read."""
    return option(None, "Sources of the dataset.", none="all", aliases=("--source",))


def languages_option(*aliases: str) -> Any:
    """Return the field of the languages that are read, with further names such as `--language`."""
    return option(None, "BCP 47 tags; en includes en-US.", none="all", aliases=aliases)
