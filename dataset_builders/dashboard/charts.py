"""Altair charts of small aggregates. As a rule, colours only distinguish splits; positions show everything else.

The palette is by Okabe and Ito (2008, "Color Universal Design"): eight colours that people with the common kinds of
colour blindness can distinguish.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import altair as alt
import streamlit as st
from altair.utils import schemapi
from streamlit.dataframe_util import convert_anything_to_arrow_bytes

from dataset_builders.schema import SPLITS

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")

Specification = dict[str, Any]
"""A chart as a Vega-Lite specification."""

BLUE, ORANGE, GREEN, SKY, VERMILION, PURPLE, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7", "#F0E442",
)  # fmt: skip
PALETTE = [BLUE, ORANGE, GREEN, SKY, VERMILION, PURPLE, YELLOW]
"""Okabe and Ito's palette without black, which is the colour of text."""

CLICKED = "clicked"
"""Name of the selection in a chart that a click changes."""

GREY = "#767676"
"""Numbers and lines beside the marks, readable on white and on the dark background."""

SPLIT_COLOURS: dict[str, str] = dict(zip(SPLITS, PALETTE, strict=False))

_ROW = 24
"""Height of a bar with its gap, in pixels."""

_HEIGHT = 300
"""Height of a chart with its axes and its legend, in pixels; see also `_height`."""


_ASIDE = threading.local()
"""Attribute `tables`: those of the chart that this thread draws, by their names."""


def _table(frame: pd.DataFrame) -> dict[str, str]:
    """Put the table of a chart aside, and return what the specification says in its place."""
    name = f"table-{len(_ASIDE.tables)}"
    _ASIDE.tables[name] = convert_anything_to_arrow_bytes(frame.reset_index(drop=True))
    return {"name": name}


alt.data_transformers.register("table", _table)
alt.data_transformers.enable("table")


def specification(draw: Callable[P, alt.Chart | alt.LayerChart]) -> Callable[P, Specification]:
    """Make a function that draws a chart return its Vega-Lite specification, and cache the result.

    Neither the specification nor its parts are validated, because that would take half of the time of a page. The
    tables go to the browser as Arrow rather than within the JSON, under names that do not depend on their rows, so that
    the browser keeps a chart when only its numbers change.
    """

    @st.cache_data(max_entries=1000, show_spinner=False)
    @wraps(draw)
    def specify(*args: P.args, **kwargs: P.kwargs) -> Specification:
        tables = _ASIDE.tables = dict[str, bytes]()
        with schemapi.debug_mode(False):
            chart = draw(*args, **kwargs).configure_view(strokeOpacity=0)
            return {**chart.to_dict(validate=False), "datasets": tables}

    return specify


@specification
def bars(
    frame: pd.DataFrame,
    category: str,
    value: str,
    titles: dict[str, str],
    *,
    split: str | None = None,
    colours: dict[str, str] = SPLIT_COLOURS,
    ascending: bool = False,
    form: str = ",",
    colour: str = BLUE,
) -> alt.LayerChart:
    """Horizontal bars with a number at the end of each.

    Args:
        frame: One row per bar, or per part of a stacked bar.
        category: Column with the names of the bars.
        value: Column with the lengths of the bars.
        titles: Title of each column for axes and tooltips, with its unit.
        split: Column by which bars are stacked and coloured.
        colours: Colour by value of this column, in the order of the stack.
        ascending: Whether the shortest bar comes first rather than the longest.
        form: d3 format of the numbers.
        colour: Colour of bars that are not stacked.
    """
    parts = frame.groupby([category, *([split] if split else [])], as_index=False)[value].sum()
    whole = frame.groupby(category, as_index=False)[value].sum()
    names = list(whole.sort_values([value, category], ascending=[ascending, True])[category])
    y = _names(category, titles, names)
    x = _counts(value, titles, whole[value].max(), form)
    tips = [_tip(name, titles, form if name == value else "") for name in (category, split, value) if name]
    if split is None:
        chart = alt.Chart(parts).mark_bar(cornerRadiusEnd=2, color=colour).encode(y=y, x=x, tooltip=tips)
        chart = _opens(chart, category)
    else:
        parts = parts.assign(rank=parts[split].map({name: place for place, name in enumerate(colours)}))
        chart = (
            alt.Chart(parts)
            .mark_bar()
            .encode(y=y, x=x, color=_colour(split, titles, colours), order=alt.Order("rank:Q"), tooltip=tips)
        )
        chart = _opens(chart, category, split)
    return (chart + _numbers(whole, y, value, form)).properties(height=_height(len(whole), legend=split is not None))


@specification
def grouped_bars(
    frame: pd.DataFrame, category: str, value: str, series: str, titles: dict[str, str], names: list[str]
) -> alt.LayerChart:
    """Groups of bars, one bar per series, with a number at the end of each.

    Args:
        frame: One row per bar.
        category: Column with the names of the groups.
        value: Column with the lengths of the bars.
        series: Column with the names of the series.
        titles: Title of each column for axes and tooltips, with its unit.
        names: Names of the series, in the order of the palette.
    """
    y = _names(category, titles, list(dict.fromkeys(frame[category])))
    within = alt.YOffset(f"{series}:N", sort=names)
    tips = [_tip(category, titles), _tip(series, titles), _tip(value, titles, ",")]
    colour = alt.Color(
        f"{series}:N", title=titles[series], scale=alt.Scale(domain=names, range=PALETTE), legend=_legend(columns=1)
    )
    chart = alt.Chart(frame).mark_bar(cornerRadiusEnd=2)
    chart = chart.encode(y=y, yOffset=within, x=_counts(value, titles, frame[value].max()), color=colour, tooltip=tips)
    chart = _opens(chart, category, series)
    numbers = _numbers(frame, y, value).encode(yOffset=within)
    rows = frame[category].nunique() * frame[series].nunique() + len(names)
    return (chart + numbers).properties(height=_height(rows, legend=True))


@specification
def split_bars(frame: pd.DataFrame, value: str, titles: dict[str, str]) -> alt.LayerChart:
    """One bar per split, in the colours of the splits.

    Args:
        frame: One row per split.
        value: Column with the lengths of the bars.
        titles: Title of each column for axes and tooltips, with its unit.
    """
    shares = frame.assign(share=frame[value] / frame[value].sum())
    y = _names("split", titles, list(SPLITS))
    x = _counts(value, titles, frame[value].max() * 1.15)
    tips = [_tip("split", titles), _tip(value, titles, ","), alt.Tooltip("share:Q", title="%", format=".1%")]
    colour = _colour("split", titles, SPLIT_COLOURS).legend(None)
    chart = alt.Chart(shares).mark_bar(cornerRadiusEnd=2).encode(y=y, x=x, color=colour, tooltip=tips)
    chart = _opens(chart, "split")
    text = f"format(datum['{value}'], ',') + '  (' + format(datum.share, '.1%') + ')'"
    numbers = _numbers(shares, y, value).transform_calculate(label=text).encode(text="label:N")
    return (chart + numbers).properties(height=_height(len(frame)))


@specification
def histogram(
    frame: pd.DataFrame,
    bin: str,
    value: str,
    titles: dict[str, str],
    *,
    width: float = 1,
    form: str = ",d",
    colour: str = BLUE,
) -> alt.Chart:
    """A histogram.

    Args:
        frame: One row per bin.
        bin: Column with the lower ends of the bins.
        value: Column with the counts.
        titles: Title of each column for axes and tooltips, with its unit.
        width: Width of a bin, in the unit of the axis.
        form: d3 format of the ends of the bins.
        colour: Colour of the bars.
    """
    bins = frame.assign(end=frame[bin] + width)
    x = alt.X(f"{bin}:Q", bin="binned", title=titles[bin], axis=alt.Axis(format=form, grid=False, tickCount=8))
    y = alt.Y(f"{value}:Q", title=titles[value], axis=alt.Axis(format=",d", tickCount=5, tickMinStep=1))
    tips = [_tip(bin, titles, form), _tip(value, titles, ",")]
    chart = alt.Chart(bins).mark_bar(color=colour, binSpacing=0.5).encode(x=x, x2="end:Q", y=y, tooltip=tips)
    return _opens(chart, bin).properties(height=_HEIGHT)


@specification
def joint(
    frame: pd.DataFrame, x: str, y: str, value: str, titles: dict[str, str], *, widths: dict[str, int]
) -> alt.Chart:
    """A two-dimensional histogram as a heat map with a log scale.

    Args:
        frame: One row per bin.
        x: Column with the lower ends of the bins on the x axis.
        y: Column with the lower ends of the bins on the y axis.
        value: Column with the counts.
        titles: Title of each column for axes and tooltips, with its unit.
        widths: Width of the bins of each axis, by column.
    """
    bins = frame.assign(x_end=frame[x] + widths[x], y_end=frame[y] + widths[y])
    chart = (
        alt.Chart(bins)
        .mark_rect()
        .encode(
            x=alt.X(f"{x}:Q", title=titles[x], scale=alt.Scale(nice=False), axis=alt.Axis(format=",d", grid=False)),
            x2="x_end:Q",
            y=alt.Y(f"{y}:Q", title=titles[y], scale=alt.Scale(nice=False), axis=alt.Axis(format=",d", grid=False)),
            y2="y_end:Q",
            color=_amount(value, titles),
            tooltip=[_tip(x, titles, ","), _tip(y, titles, ","), _tip(value, titles, ",")],
        )
        .properties(height=480)
    )
    return _opens(chart, x, y)


@specification
def scatter(frame: pd.DataFrame, x: str, y: str, value: str, titles: dict[str, str]) -> alt.Chart:
    """Points whose size is the number of rows; `frame` has one row per point."""
    chart = (
        alt.Chart(frame)
        .mark_circle(color=BLUE, opacity=0.45)
        .encode(
            x=alt.X(f"{x}:Q", title=titles[x], axis=alt.Axis(format=",d")),
            y=alt.Y(f"{y}:Q", title=titles[y], axis=alt.Axis(format=",d")),
            size=alt.Size(
                f"{value}:Q",
                title=titles[value],
                scale=alt.Scale(range=[6, 500]),
                legend=_legend(format=",d", tickCount=3),
            ),
            tooltip=[_tip(x, titles, ","), _tip(y, titles, ","), _tip(value, titles, ",")],
        )
        .properties(height=480)
    )
    return _opens(chart, x, y)


@specification
def grid(frame: pd.DataFrame, x: str, y: str, value: str, titles: dict[str, str]) -> alt.LayerChart:
    """A heat map of counts with a number in each cell; `frame` has one row per cell."""
    size = frame[y].nunique()
    body = alt.Chart(frame).encode(
        x=alt.X(f"{x}:N", title=titles[x], axis=alt.Axis(labelAngle=-40, labelLimit=110, labelOverlap=False)),
        y=alt.Y(f"{y}:N", title=titles[y], axis=alt.Axis(labelLimit=110)),
    )
    middle = (float(frame[value].max()) * max(float(frame[value].min()), 1.0)) ** 0.5
    fields = body.mark_rect().encode(
        color=_amount(value, titles), tooltip=[_tip(x, titles), _tip(y, titles), _tip(value, titles, ",")]
    )
    fields = _opens(fields, x, y)
    numbers = body.mark_text(fontSize=11).encode(
        text=alt.Text(f"{value}:Q", format=","),
        color=alt.condition(alt.datum[value] > middle, alt.value("black"), alt.value("white")),
    )
    return (fields + numbers).properties(height=190 + 44 * size)


@specification
def lines(frame: pd.DataFrame, x: str, y: str, series: str, titles: dict[str, str], form: str = ".3f") -> alt.Chart:
    """Lines with points, one line per series, which colour and shape distinguish; `frame` has one row per point."""
    names = list(dict.fromkeys(frame[series]))
    legend = alt.Legend(orient="top", columns=1, labelLimit=360)
    return (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=40, filled=True))
        .encode(
            x=alt.X(f"{x}:Q", title=titles[x], axis=alt.Axis(format="d", tickMinStep=1, tickCount=8)),
            y=alt.Y(f"{y}:Q", title=titles[y], scale=alt.Scale(zero=False), axis=alt.Axis(format="~r", tickCount=5)),
            color=alt.Color(f"{series}:N", title=None, scale=alt.Scale(domain=names, range=PALETTE), legend=legend),
            shape=alt.Shape(f"{series}:N", title=None, scale=alt.Scale(domain=names), legend=legend),
            tooltip=[_tip(series, titles), _tip(x, titles, "d"), _tip(y, titles, form)],
        )
        .properties(height=_HEIGHT + 20 * len(names))
    )


@specification
def intervals(
    frame: pd.DataFrame,
    category: str,
    value: str,
    low: str,
    high: str,
    titles: dict[str, str],
    reference: float | None = None,
) -> alt.LayerChart:
    """Points with intervals, in the order of the frame, and a dashed line at `reference`."""
    body = alt.Chart(frame).encode(y=_names(category, titles, list(frame[category])))
    axis = alt.Axis(format="~r", tickCount=6)
    across = alt.X(f"{low}:Q", title=titles[value], scale=alt.Scale(zero=False), axis=axis)
    spans = body.mark_rule(color=BLUE, strokeWidth=2).encode(x=across, x2=f"{high}:Q")
    tips = [_tip(category, titles), _tip(value, titles, ".3f")]
    tips += [_tip("parameters", titles, ",")] if "parameters" in frame else []
    points = body.mark_circle(color=BLUE, size=90, opacity=1).encode(x=f"{value}:Q", tooltip=tips)
    layers = spans + points
    if reference is not None:
        layers += alt.Chart().mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=alt.datum(reference))
    return layers.properties(height=_height(len(frame)))


def _opens(chart: Any, *fields: str) -> Any:
    """A chart that reports a click on a mark: the values of these fields; see `page.Page.chart`."""
    click = alt.selection_point(name=CLICKED, fields=list(fields), toggle=False)
    return chart.add_params(click)


def _names(category: str, titles: dict[str, str], order: Sequence[str]) -> alt.Y:
    """The axis with the names of bars."""
    axis = alt.Axis(labelLimit=170, labelOverlap=False, ticks=False, domain=False)
    return alt.Y(f"{category}:N", title=titles[category], sort=list(order), axis=axis)


def _counts(value: str, titles: dict[str, str], longest: float, form: str = ",") -> alt.X:
    """The axis of the lengths of bars, with room for the number at the end of the longest one."""
    scale = alt.Scale(domain=[0, max(float(longest), 1e-9) * 1.25], nice=False)
    whole: dict[str, Any] = {"format": ",d", "tickMinStep": 1}
    axis = alt.Axis(tickCount=4, labelBound=True, **(whole if form == "," else {"format": form}))
    return alt.X(f"{value}:Q", title=titles[value], scale=scale, axis=axis)


def _numbers(frame: pd.DataFrame, y: alt.Y, value: str, form: str = ",") -> alt.Chart:
    """The numbers at the ends of bars."""
    text = alt.Text(f"{value}:Q", format=form)
    return (
        alt.Chart(frame).mark_text(align="left", dx=4, fontSize=11, color=GREY).encode(y=y, x=f"{value}:Q", text=text)
    )


def _height(bars: int, *, legend: bool = False) -> int:
    return _ROW * bars + 76 + (72 if legend else 0)


def _legend(**options: Any) -> alt.Legend:
    return alt.Legend(orient="top", titleLimit=300, **options)


def _colour(series: str, titles: dict[str, str], colours: dict[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{series}:N", title=titles[series], scale=scale, legend=_legend())


def _amount(value: str, titles: dict[str, str]) -> alt.Color:
    """A colour scale for counts: cividis, which is designed for all kinds of colour vision."""
    scale = alt.Scale(type="log", scheme="cividis")
    return alt.Color(
        f"{value}:Q", title=titles[value], scale=scale, legend=_legend(format=",d", gradientLength=200, tickCount=4)
    )


def _tip(name: str, titles: dict[str, str], form: str = "") -> alt.Tooltip:
    if form:
        return alt.Tooltip(f"{name}:Q", title=titles[name], format=form)
    return alt.Tooltip(f"{name}:N", title=titles[name])
