"""Which rows of the `pairs` config a run reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa


LEAK = "leak:"
"""Prefix of the flags of rows that also occur in a test split, which `build --split-policy official` keeps."""


class NoPairsError(ModelError):
    """The split has no pair of the requested sources and direction."""


def selected_rows(table: pa.Table, sources: Sequence[str] | None, direction: tuple[str, str]) -> np.ndarray:
    """Return a bool array `[n]`: whether each of n rows is of some sources (None: all) and of one direction."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keep = pc.and_(pc.equal(table["anchor_speaker"], direction[0]), pc.equal(table["positive_speaker"], direction[1]))
    if sources is not None:
        keep = pc.and_(keep, pc.is_in(table["source"], value_set=pa.array(list(sources), table["source"].type)))
    return np.asarray(pc.fill_null(keep, False))


def check_selection(
    data: str | os.PathLike[str],
    split: str,
    count: int,
    sources: Sequence[str] | None,
    available: Iterable[str],
    direction: tuple[str, str],
) -> None:
    """Check the selection of rows of a split.

    Args:
        data: Folder or Hub repository.
        split: Name of the split.
        count: Number of selected rows.
        sources: Names of the selected sources. None: all.
        available: Names of the sources of the split.
        direction: Speakers of anchor and positive.

    Raises:
        NoPairsError: A source is not in the split, or no row is selected.
    """
    if missing := sorted(set(sources or ()) - set(available)):
        raise NoPairsError(
            f"{data}: no source {', '.join(missing)} in split {split}; choose from {', '.join(sorted(available))}"
        )
    if not count:
        raise NoPairsError(f"{data}: no {direction[0]} -> {direction[1]} pair in split {split}")


def flagged_as_leaks(table: pa.Table) -> np.ndarray:
    """Return a bool array `[n]`: whether each of n rows is flagged as a leak."""
    return np.asarray(
        [any(flag.startswith(LEAK) for flag in flags or ()) for flags in table["flags"].to_pylist()], bool
    )


def chosen_rows(rows: np.ndarray, limit: int | None, seed: int) -> np.ndarray:
    """Return at most `limit` of the rows (None: all), a seeded choice in their order."""
    if limit is None or limit >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, size=limit, replace=False))


def is_spoken(language: str, tags: Sequence[str] | None) -> bool:
    """Return whether a language is one of some BCP 47 tags (None: any); `en` includes `en-US`.

    >>> is_spoken("en-US", ["en"]), is_spoken("en", ["en-US"])
    (True, False)
    """
    return tags is None or any(f"{language}-".lower().startswith(f"{tag}-".lower()) for tag in tags)
