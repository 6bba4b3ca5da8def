"""What is missing where a dataset has no split to evaluate on, or one of a handful of pairs."""

from __future__ import annotations

import os

from cube_model.data.hub import split_names
from cube_model.errors import ModelError
from cube_model.training.small_data import LARGEST_HALF_WIDTH, half_width, least_pairs

_SHARE = 10
"""`build` puts one of ten dialogues into each of the splits validation and test."""

_MANY = 100
"""Distinct answers, for a number of pairs that does not depend on the dataset."""


def check_split(data: str | os.PathLike[str], split: str) -> None:
    """Refuse to evaluate on a split that the dataset lacks.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        split: Name of the split.

    Raises:
        ModelError: There is no such split; the message says how to get one.
    """
    available = split_names(data)
    if split in available:
        return
    needed = least_pairs(_MANY)
    raise ModelError(
        f"{data}: no {split} split, only {', '.join(available)}. `build` puts a tenth of the dialogues into it, of "
        f"a few perhaps none: add dialogues (an interval of ±{LARGEST_HALF_WIDTH:.2f} takes {needed} {split} pairs, "
        f"about {needed * _SHARE:,} in all), or a file named {split}.csv in the folder of `build --own`. A training on "
        "a few pairs records figures of left-out ones in its training.json"
    )


def few_pairs(pairs: int, answers: int) -> str | None:
    """Return a remark on pairs that are too few to compare methods by, else None.

    Args:
        pairs: Number of pairs of a split.
        answers: Number of distinct answers among them.
    """
    width = half_width(pairs, answers)
    if width <= LARGEST_HALF_WIDTH:
        return None
    return (
        f"{pairs:,} pair{'' if pairs == 1 else 's'} with {answers:,} distinct answer{'' if answers == 1 else 's'} "
        f"cannot tell methods apart: an accuracy is uncertain by ±{width:.2f}, and ±{LARGEST_HALF_WIDTH:.2f} takes "
        f"{least_pairs(answers):,} pairs. `build` puts a tenth of the dialogues into each of validation and test: add "
        "data, or a file named after the split in the folder of `build --own`"
    )
