"""Altair charts of small, ready-made aggregates. Colours tell apart splits only; everything else is told by place.

The palette is that of Okabe and Ito (2008, "Color Universal Design"): eight colours that people with any of the common
kinds of colour blindness can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from dataset_builders.schema import SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.texts import Texts

BLUE, ORANGE, GREEN, SKY, VERMILION, PURPLE, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7", "#F0E442",
)  # fmt: skip
PALETTE = [BLUE, ORANGE, GREEN, SKY, VERMILION, PURPLE, YELLOW]
"""Okabe and Ito's, without black, which is the colour of text."""

SPLIT_COLOURS = dict(zip(SPLITS, PALETTE, strict=False))

_ROW = 24
"""Height of a bar with its gap, in pixels."""


def finished(chart: alt.Chart | alt.LayerChart, texts: Texts) -> alt.Chart | alt.LayerChart:
    """The chart with numbers written as the language does, and without a menu of its own."""
    options = {"formatLocale": texts.chart_locale, "actions": False}
    return chart.configure_view(strokeOpacity=0).properties(usermeta={"embedOptions": options})


def bars(
    frame: pd.DataFrame,
    category: str,
    value: str,
    titles: dict[str, str],
    *,
    split: str | None = None,
    order: str | Sequence[Any] = "-x",
    form: str = ",",
    colour: str = BLUE,
) -> alt.LayerChart:
    """Horizontal bars with their numbers at the end, the longest first.

    Args:
        frame: A row a bar, or a row a part of it.
        category: Column of the names.
        value: Column of the lengths.
        titles: Column -> what axis and tooltip call it, with its unit.
        split: Column that the bars are stacked and coloured by.
        order: Of the bars: `"-x"`, or the names.
        form: d3 format of the numbers.
        colour: Of bars that are not stacked.
    """
    y = alt.Y(
        f"{category}:N", title=titles[category], sort=order, axis=alt.Axis(labelLimit=170, ticks=False, domain=False)
    )
    # the number needs room at the end of the longest bar
    longest = frame.groupby(category)[value].sum().max()
    x = alt.X(
        f"sum({value}):Q",
        title=titles[value],
        scale=alt.Scale(domainMax=float(longest) * 1.22 or 1.0, nice=False),
        axis=alt.Axis(format="~s" if form == "," else form, tickCount=4, labelFlush=False),
    )
    tips = [_tip(name, titles, form if name == value else "") for name in (category, split, value) if name]
    body = alt.Chart(frame).encode(y=y, x=x)
    drawn = (
        body.mark_bar(cornerRadiusEnd=2, color=colour).encode(tooltip=tips)
        if split is None
        else body.mark_bar().encode(color=_split_colour(split, titles), order=alt.Order("rank:Q"), tooltip=tips)
    )
    numbers = body.mark_text(align="left", dx=4, fontSize=11, color="#555").encode(
        text=alt.Text(f"sum({value}):Q", format=form)
    )
    return (drawn + numbers).properties(height=alt.Step(_ROW))


def grouped_bars(
    frame: pd.DataFrame, category: str, value: str, series: str, titles: dict[str, str], names: list[str]
) -> alt.LayerChart:
    """Bars side by side, one a series, with their numbers: `names` in the order of the palette."""
    longest = float(frame[value].max())
    body = alt.Chart(frame).encode(
        y=alt.Y(f"{category}:N", title=titles[category], axis=alt.Axis(labelLimit=170, ticks=False, domain=False)),
        yOffset=alt.YOffset(f"{series}:N", sort=names),
        x=alt.X(
            f"{value}:Q",
            title=titles[value],
            scale=alt.Scale(domainMax=longest * 1.22 or 1.0, nice=False),
            axis=alt.Axis(format="~s", tickCount=4),
        ),
        tooltip=[_tip(category, titles), _tip(series, titles), _tip(value, titles, ",")],
    )
    scale = alt.Scale(domain=names, range=PALETTE)
    drawn = body.mark_bar(cornerRadiusEnd=2).encode(
        color=alt.Color(f"{series}:N", title=titles[series], scale=scale, legend=alt.Legend(orient="bottom"))
    )
    numbers = body.mark_text(align="left", dx=4, fontSize=11, color="#555").encode(
        text=alt.Text(f"{value}:Q", format=",")
    )
    return (drawn + numbers).properties(height=alt.Step(_ROW))


def split_bars(frame: pd.DataFrame, value: str, titles: dict[str, str]) -> alt.LayerChart:
    """A bar a split, in the colours that splits have everywhere; `frame` has a row a split."""
    shares = frame.assign(share=frame[value] / frame[value].sum())
    body = alt.Chart(shares).encode(
        y=alt.Y("split:N", title=titles["split"], sort=list(SPLITS), axis=alt.Axis(ticks=False, domain=False)),
        x=alt.X(
            f"{value}:Q",
            title=titles[value],
            scale=alt.Scale(domainMax=float(frame[value].max()) * 1.35, nice=False),
            axis=alt.Axis(format="~s", tickCount=4),
        ),
        tooltip=[_tip("split", titles), _tip(value, titles, ",")],
    )
    colour = _split_colour("split", titles)
    drawn = body.mark_bar(cornerRadiusEnd=2).encode(color=colour.legend(None))
    text = f"format(datum['{value}'], ',') + '  (' + format(datum.share, '.1%') + ')'"
    numbers = body.transform_calculate(label=text).mark_text(align="left", dx=4, fontSize=11, color="#555")
    return (drawn + numbers.encode(text="label:N")).properties(height=alt.Step(_ROW))


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
    """How many have which length; the last bar holds all longer ones.

    Args:
        frame: `bin`: the lower end of each, `value`: how many.
        bin: Column of the bins.
        value: Column of the counts.
        titles: Column -> what axis and tooltip call it, with its unit.
        width: Of a bin, in the unit of the axis.
        form: d3 format of the lengths.
        colour: Of the bars.
    """
    shown = frame.assign(end=frame[bin] + width)
    x = alt.X(
        f"{bin}:Q", title=titles[bin], scale=alt.Scale(nice=False, zero=True), axis=alt.Axis(format=form, grid=False)
    )
    y = alt.Y(f"{value}:Q", title=titles[value], axis=alt.Axis(format="~s", tickCount=5))
    tips = [_tip(bin, titles, form), _tip(value, titles, ",")]
    marks = alt.Chart(shown).mark_bar(color=colour, binSpacing=0, stroke="white", strokeWidth=0.4)
    return marks.encode(x=x, x2="end:Q", y=y, tooltip=tips).properties(height=260)


def joint(
    frame: pd.DataFrame, x: str, y: str, value: str, titles: dict[str, str], *, widths: dict[str, int]
) -> alt.Chart:
    """A joint histogram: the colour of a field is the number of rows with these two lengths, on a log scale.

    Args:
        frame: A row a field: its lower ends and how many.
        x: Column across.
        y: Column upright.
        value: Column of the counts.
        titles: Column -> what axis and tooltip call it, with its unit.
        widths: Column -> width of its bins.
    """
    shown = frame.assign(x_end=frame[x] + widths[x], y_end=frame[y] + widths[y])
    return (
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=alt.X(f"{x}:Q", title=titles[x], scale=alt.Scale(nice=False), axis=alt.Axis(format=",d", grid=False)),
            x2="x_end:Q",
            y=alt.Y(f"{y}:Q", title=titles[y], scale=alt.Scale(nice=False), axis=alt.Axis(format=",d", grid=False)),
            y2="y_end:Q",
            color=_amount(value, titles),
            tooltip=[_tip(x, titles, ","), _tip(y, titles, ","), _tip(value, titles, ",")],
        )
        .properties(height=380)
    )


def scatter(frame: pd.DataFrame, x: str, y: str, value: str, titles: dict[str, str]) -> alt.Chart:
    """A point for each pair of lengths that occurs; its size is the number of rows."""
    return (
        alt.Chart(frame)
        .mark_circle(color=BLUE, opacity=0.45)
        .encode(
            x=alt.X(f"{x}:Q", title=titles[x], axis=alt.Axis(format=",d")),
            y=alt.Y(f"{y}:Q", title=titles[y], axis=alt.Axis(format=",d")),
            size=alt.Size(
                f"{value}:Q",
                title=titles[value],
                scale=alt.Scale(range=[6, 500]),
                legend=alt.Legend(orient="bottom", format="~s", tickCount=3, titleLimit=300),
            ),
            tooltip=[_tip(x, titles, ","), _tip(y, titles, ","), _tip(value, titles, ",")],
        )
        .properties(height=380)
    )


def grid(frame: pd.DataFrame, x: str, y: str, value: str, titles: dict[str, str]) -> alt.LayerChart:
    """A table of counts as coloured fields with their numbers in them."""
    size = max(frame[x].nunique(), frame[y].nunique())
    body = alt.Chart(frame).encode(
        x=alt.X(f"{x}:N", title=titles[x], axis=alt.Axis(labelAngle=-40, labelLimit=110)),
        y=alt.Y(f"{y}:N", title=titles[y], axis=alt.Axis(labelLimit=110)),
    )
    middle = (float(frame[value].max()) * max(float(frame[value].min()), 1.0)) ** 0.5
    fields = body.mark_rect().encode(
        color=_amount(value, titles), tooltip=[_tip(x, titles), _tip(y, titles), _tip(value, titles, ",")]
    )
    numbers = body.mark_text(fontSize=11).encode(
        text=alt.Text(f"{value}:Q", format=","),
        color=alt.condition(alt.datum[value] > middle, alt.value("black"), alt.value("white")),
    )
    return (fields + numbers).properties(height=max(160, 44 * size))


def lines(frame: pd.DataFrame, x: str, y: str, series: str, titles: dict[str, str], form: str = ".3f") -> alt.Chart:
    """Lines with points, one a series; told apart by colour and by shape."""
    names = list(dict.fromkeys(frame[series]))
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=360)
    return (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=40, filled=True))
        .encode(
            x=alt.X(f"{x}:Q", title=titles[x], axis=alt.Axis(format="d", tickMinStep=1)),
            y=alt.Y(f"{y}:Q", title=titles[y], scale=alt.Scale(zero=False), axis=alt.Axis(format="~r")),
            color=alt.Color(f"{series}:N", title=None, scale=alt.Scale(domain=names, range=PALETTE), legend=legend),
            shape=alt.Shape(f"{series}:N", title=None, scale=alt.Scale(domain=names), legend=legend),
            tooltip=[_tip(series, titles), _tip(x, titles, "d"), _tip(y, titles, form)],
        )
        .properties(height=280)
    )


def intervals(
    frame: pd.DataFrame, category: str, value: str, low: str, high: str, titles: dict[str, str]
) -> alt.LayerChart:
    """Points with their intervals, in the order of the frame."""
    body = alt.Chart(frame).encode(
        y=alt.Y(f"{category}:N", title=titles[category], sort=list(frame[category]), axis=alt.Axis(labelLimit=170))
    )
    across = alt.X(f"{low}:Q", title=titles[value], scale=alt.Scale(zero=False), axis=alt.Axis(format="~r"))
    spans = body.mark_rule(color=BLUE, strokeWidth=2).encode(x=across, x2=f"{high}:Q")
    tips = [_tip(category, titles), _tip(value, titles, ".3f"), _tip("parameters", titles, ",")]
    points = body.mark_circle(color=BLUE, size=90, opacity=1).encode(x=f"{value}:Q", tooltip=tips)
    return (spans + points).properties(height=alt.Step(_ROW))


def _split_colour(split: str, titles: dict[str, str]) -> alt.Color:
    return alt.Color(
        f"{split}:N",
        title=titles[split],
        scale=alt.Scale(domain=list(SPLIT_COLOURS), range=list(SPLIT_COLOURS.values())),
        legend=alt.Legend(orient="bottom"),
    )


def _amount(value: str, titles: dict[str, str]) -> alt.Color:
    """Cividis: even in lightness, made for all kinds of colour vision."""
    return alt.Color(
        f"{value}:Q",
        title=titles[value],
        scale=alt.Scale(type="log", scheme="cividis"),
        legend=alt.Legend(orient="bottom", format="~s", titleLimit=300, gradientLength=200, tickCount=4),
    )


def _tip(name: str, titles: dict[str, str], form: str = "") -> alt.Tooltip:
    return alt.Tooltip(f"{name}:{'Q' if form else 'N'}", title=titles[name], **({"format": form} if form else {}))
