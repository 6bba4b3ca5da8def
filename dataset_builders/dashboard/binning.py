"""Counts of single lengths put into a few dozen bins of a round width."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BINS = 60
"""At most."""

TAIL = 0.995
"""Share of the rows below the last bin, which holds all longer ones: a single monster would make the rest one bar."""

_WIDTHS = [step * 10**power for power in range(6) for step in (1, 2, 5)]


def bin_width(lengths: pd.Series, counts: pd.Series) -> tuple[int, int]:
    """Width of the bins and lower end of the last one.

    Args:
        lengths: Whole numbers.
        counts: How many rows have each.
    """
    ordered = counts.groupby(lengths).sum().sort_index()
    reached = ordered.cumsum() >= TAIL * ordered.sum()
    last = int(reached.idxmax())
    width = next(width for width in _WIDTHS if last / width <= BINS)
    return width, last // width * width


def binned(frame: pd.DataFrame, columns: dict[str, tuple[int, int]], value: str) -> pd.DataFrame:
    """The frame with lengths rounded down to the lower ends of their bins, and equal rows added up.

    Args:
        frame: A row a length, or a combination of lengths.
        columns: Columns of lengths -> what `bin_width` says of them.
        value: Column of the counts.
    """
    lower = {name: (frame[name] // width * width).clip(upper=last) for name, (width, last) in columns.items()}
    return frame.assign(**lower).groupby(list(columns), as_index=False)[value].sum()
