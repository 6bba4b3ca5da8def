"""The option `vectors` of every command that encodes texts; nothing heavy is imported here."""

from __future__ import annotations

from typing import Any, Literal

from dataset_builders.common.options import option

EncoderDtype = Literal["float32", "bfloat16", "float16", "auto"]
"""Precision of an encoder; `auto` is bfloat16 on hardware with native support, else float32."""

HELP = "Folder of vectors written by `dialogue-cube embed`, read in place of encoding."


def vectors_option() -> Any:
    """Return the field of an options class."""
    return option(None, HELP, none="only the embedding cache is searched", in_result=False)
