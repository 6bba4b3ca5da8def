"""Charts of lengths, in words or in characters, put into a few dozen bins of a round width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataset_builders.dashboard import charts

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

BINS = 60
"""At most."""

TAIL = 0.995
"""Share of the rows below the last bin, which holds all longer ones: a single monster would make the rest one bar."""

_WIDTHS = [step * 10**power for power in range(6) for step in (1, 2, 5)]


def length_chart(
    page: Page, title: str, frame: pd.DataFrame, counted: str, unit: str, colour: str = charts.BLUE
) -> None:
    """A histogram of lengths.

    Args:
        page: The page.
        title: Of the chart.
        frame: `value` (a length) and how many have it.
        counted: Column of the counts; its text is the title of the upright axis.
        unit: What lengths are counted in.
        colour: Of the bars.
    """
    if frame.empty:
        return
    width, last = bin_width(frame["value"], frame[counted])
    shown = binned(frame, {"value": (width, last)}, counted)
    titles = {"value": page.texts("lengths.axis", unit=unit), counted: page.texts(f"column.{counted}")}
    more = frame["value"].max() >= last + width
    note = page.texts("lengths.tail", n=last) if more else ""
    page.chart(title, frame, charts.histogram(shown, "value", counted, titles, width=width, colour=colour), note)


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
