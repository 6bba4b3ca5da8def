"""Charts of lengths, in words or in characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.binning import bin_width, binned

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page


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
