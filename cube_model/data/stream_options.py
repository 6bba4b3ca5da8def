"""The options of every training that can stream its pairs; nothing heavy is imported here."""

from __future__ import annotations

import logging
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.options import option

logger = logging.getLogger(__name__)

SHUFFLE_BUFFER = 50_000
"""Default of `shuffle_buffer`: with two texts of 384 dimensions each, 150 MB."""


def streaming_option() -> Any:
    """Return the field `streaming` of an options class."""
    return option(
        False,
        "Read the pairs from the files as they are needed, for data that do not fit in memory; the order is another "
        "one than without.",
    )


def shuffle_buffer_option() -> Any:
    """Return the field `shuffle_buffer` of an options class."""
    return option(
        None,
        "Number of pairs that are in memory and shuffled at a time with streaming: random row groups of the files.",
        low=2,
        none=f"{SHUFFLE_BUFFER:,}",
    )


def warn_of_small_data(data: object, pairs: int, buffer: int) -> None:
    """Warn that streaming is of no use where all pairs fit in the shuffle buffer."""
    if pairs <= buffer:
        logger.warning(
            "%s: all %s training pairs fit in the shuffle buffer of %s, so that streaming saves no memory; leave it "
            "out, or set a smaller shuffle_buffer",
            data,
            f"{pairs:,}",
            f"{buffer:,}",
        )


def check_streaming(streaming: bool, shuffle_buffer: int | None, needs_all: dict[str, Any]) -> None:
    """Check the options of a training.

    Args:
        streaming: Whether pairs are streamed.
        shuffle_buffer: The option.
        needs_all: Names and values of options that need all pairs at once, where they are set.

    Raises:
        ModelError: An option needs all pairs at once, or `shuffle_buffer` is set without streaming.
    """
    if shuffle_buffer is not None and not streaming:
        raise ModelError("shuffle_buffer is for streaming: set streaming too (--streaming), or leave it out")
    for name, value in needs_all.items():
        if streaming and value:
            shown = "" if value is True else f" {value}"
            raise ModelError(
                f"{name}{shown} needs all pairs at once, which streaming never reads: leave out one of them"
            )
