"""Histograms of lengths in words or characters, with a few dozen bins of a round width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import Behind, between

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

BINS = 60
"""Maximum number of bins."""

TAIL = 0.995
"""Share of the rows below the last bin. It holds all longer ones, because an outlier would squeeze the other bins."""

_WIDTHS = [step * 10**power for power in range(6) for step in (1, 2, 5)]


def length_chart(
    page: Page,
    title: str,
    frame: pd.DataFrame,
    counted: str,
    unit: str,
    rows: tuple[str, str],
    colour: str = charts.BLUE,
) -> None:
    """Show a histogram of lengths.

    Args:
        page: The page.
        title: Title of the chart.
        frame: Column `value` (lengths) and a column of counts.
        counted: Name of the column of counts.
        unit: Unit of the lengths, as text.
        rows: Kind of the rows that a bar opens, and the condition on their length; see `behind.Behind`.
        colour: Colour of the bars.
    """
    if frame.empty:
        return
    width, last = bin_width(frame["value"], frame[counted])
    bins = binned(frame, {"value": (width, last)}, counted)
    titles = {"value": page.texts("lengths.axis", unit=unit), counted: page.texts(f"column.{counted}")}
    has_tail = frame["value"].max() >= last + width
    note = page.texts("lengths.tail", n=last) if has_tail else ""

    def opens(bar: Mapping[str, Any]) -> Behind:
        low = bar["value"]
        return Behind(rows[0], ((rows[1], between(low, None if low >= last else low + width - 1)),))

    chart = charts.histogram(bins, "value", counted, titles, width=width, colour=colour)
    page.chart(title, frame, chart, note, opens)


def bin_width(lengths: pd.Series, counts: pd.Series) -> tuple[int, int]:
    """Width of the bins and lower end of the last one.

    Args:
        lengths: Lengths, whole numbers.
        counts: Number of rows of each length.
    """
    ordered = counts.groupby(lengths).sum().sort_index()
    in_tail = ordered.cumsum() >= TAIL * ordered.sum()
    last = int(in_tail.idxmax())
    width = next(width for width in _WIDTHS if last / width <= BINS)
    return width, last // width * width


def binned(frame: pd.DataFrame, columns: dict[str, tuple[int, int]], value: str) -> pd.DataFrame:
    """Round lengths down to the lower ends of their bins, and add up equal rows.

    Args:
        frame: Counts, one row per length or combination of lengths.
        columns: Result of `bin_width` by column of lengths.
        value: Name of the column of counts.
    """
    lower = {name: (frame[name] // width * width).clip(upper=last) for name, (width, last) in columns.items()}
    return frame.assign(**lower).groupby(list(columns), as_index=False)[value].sum()
