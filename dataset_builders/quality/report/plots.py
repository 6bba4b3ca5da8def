"""Plots as SVG text to embed in a page: equal numbers give equal bytes, text and axes take the page's colour.

They are 360 points wide, to stay readable on a phone. The colours are Okabe and Ito's and the colour map is cividis,
both designed for colour-blind readers.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dataset_builders.common.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe, Ito: Color universal design (2008)."""

INK = "#010203"
"""Placeholder that `_svg` replaces with the page's text colour, so that plots follow light and dark mode."""

WIDTH = 5.0
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays selectable text in the page's font
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}


def bars(
    title: str, values: Mapping[str, Mapping[str, float]], xlabel: str, series: Sequence[str], share: bool = False
) -> str:
    """Horizontal bars in groups, with a number at the end of each.

    Args:
        title: Description for screen readers; must be unique in the page, because element ids depend on it.
        values: Number by group and series; a series may be missing in a group.
        xlabel: Measured quantity, with its unit.
        series: Names of the series, from top to bottom.
        share: Whether the numbers are shares from 0 to 1, to be shown as percentages.
    """
    height = 0.8 / len(series)
    with _figure(0.7 + len(values) * max(0.3, 0.22 * len(series)) + 0.25 * (len(series) > 1)) as (figure, axes):
        for number, name in enumerate(series):
            lengths = [group.get(name) for group in values.values()]
            places = [place + (number - (len(series) - 1) / 2) * height for place in range(len(values))]
            color = COLORS[number % len(COLORS)]
            container = axes.barh(places, [n or 0 for n in lengths], height, label=name, color=color)
            labels = ["" if n is None else f"{n:.1%}" if share else f"{n:,.0f}" for n in lengths]
            axes.bar_label(container, labels, padding=2, fontsize=8)
        axes.set_yticks(range(len(values)), list(values))
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.set_xlabel(xlabel)
        _number_axis(axes.xaxis, share)
        if len(series) > 1:
            figure.legend(frameon=False, ncols=3, loc="outside upper left", fontsize=9)
        return _svg(figure, title)


def histograms(title: str, counts: Mapping[str, Mapping[float, int]], xlabel: str, width: float = 1) -> str:
    """Small histograms below each other on a common x axis, each scaled to its highest bar.

    Args:
        title: Description for screen readers, as in `bars`.
        counts: Count by name and lower bound of the bin. The last bar also holds the largest 0.5 % of the values.
        xlabel: Measured quantity, with its unit.
        width: Width of a bin.
    """
    import numpy as np

    bins = {
        name: np.bincount([round(value / width) for value in histogram], weights=list(histogram.values()))
        for name, histogram in counts.items()
    }
    top = max(int(np.searchsorted(np.cumsum(heights), 0.995 * heights.sum())) for heights in bins.values()) + 1
    folded = any(len(heights) > top for heights in bins.values())
    edges = np.arange(top + 1) * width
    with _figure(0.7 + 0.42 * len(counts), rows=len(counts)) as (figure, all_axes):
        for axes, (name, heights) in zip(all_axes, bins.items(), strict=True):
            bars = np.zeros(top)
            np.add.at(bars, np.minimum(np.arange(len(heights)), top - 1), heights)
            axes.stairs(bars / bars.max(), edges, fill=True, color=COLORS[0])
            median = edges[int(np.searchsorted(np.cumsum(bars), bars.sum() / 2))]
            axes.axvline(median + width / 2, color=COLORS[5], linewidth=1.5)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_ylabel(f"{name}\nmedian {median:g}", rotation=0, ha="right", va="center", fontsize=9)
            axes.set_xlim(0, edges[-1])
            axes.tick_params(labelbottom=axes is all_axes[-1])
        all_axes[-1].set_xlabel(xlabel + (f" (last bar: {edges[-2]:g} and more)" if folded else ""))
        return _svg(figure, title)


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    numbers: np.ndarray,
    shares: np.ndarray,
    labels: tuple[str, str, str],
) -> str:
    """A matrix with a number and a colour in each cell.

    Args:
        title: Description for screen readers, as in `bars`.
        rows: Names of the rows, from top to bottom.
        columns: Names of the columns, from left to right.
        numbers: Numbers in the cells, shape (rows, columns); 0 leaves a cell blank.
        shares: Colours of the cells, from 0 to 1, shape (rows, columns).
        labels: Labels of the rows, the columns and the colour.
    """
    import numpy as np

    with _figure(1.9 + 0.3 * len(rows)) as (figure, axes):
        mesh = axes.pcolormesh(shares, cmap="cividis", vmin=0, vmax=max(float(shares.max()), 1e-9), edgecolor="none")
        for row, column in np.argwhere(numbers):
            number, color = numbers[row, column], "white" if mesh.norm(shares[row, column]) < 0.55 else "black"
            axes.text(column + 0.5, row + 0.5, short(number), ha="center", va="center", fontsize=7.5, color=color)
        axes.set_xticks([n + 0.5 for n in range(len(columns))], columns, rotation=40, ha="right")
        axes.set_yticks([n + 0.5 for n in range(len(rows))], rows)
        axes.invert_yaxis()
        axes.set_ylabel(labels[0])
        axes.set_xlabel(labels[1])
        bar = _color_bar(figure, mesh, axes, labels[2], location="top", aspect=40, shrink=0.7)
        _number_axis(bar.ax.xaxis, share=True)
        return _svg(figure, title)


def joint_histogram(title: str, counts: np.ndarray, width: int, labels: tuple[str, str, str]) -> str:
    """The joint distribution of two lengths.

    Args:
        title: Description for screen readers, as in `bars`.
        counts: Counts, shape (y bins, x bins).
        width: Width of a bin.
        labels: Labels of the x axis, the y axis and the colour, with units.
    """
    import numpy as np
    from matplotlib.colors import LogNorm

    with _figure(4.2) as (figure, axes):
        edges = [np.arange(size + 1) * width for size in counts.shape]
        nonzero = np.ma.masked_equal(counts, 0)
        mesh = axes.pcolormesh(edges[1], edges[0], nonzero, cmap="cividis", norm=LogNorm(1, max(counts.max(), 2)))
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_aspect("equal")
        _color_bar(figure, mesh, axes, labels[2])
        return _svg(figure, title)


def short(number: float) -> str:
    """Format a count with at most four characters: 1200 -> "1.2k"."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"


@contextmanager
def _figure(height: float, rows: int = 0) -> Iterator[tuple[Figure, Any]]:
    """A figure in our style and its axes, or `rows` axes; the user's matplotlib settings have no effect."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise DataError("plots need matplotlib; run: pip install 'dialogue-cube[report]'") from None
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **STYLE}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure, figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0] if rows else figure.subplots()


def _number_axis(axis: Any, share: bool = False) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda n, _: f"{n * 100:g} %" if share else short(n)))


def _color_bar(figure: Figure, mesh: Any, axes: Axes, label: str, **place: Any) -> Any:
    bar = figure.colorbar(mesh, ax=axes, label=label, **place)
    bar.outline.set_visible(False)
    return bar


def _svg(figure: Figure, title: str) -> str:
    """The `<svg>` element alone, with a description for screen readers."""
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": title}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"\s*<metadata>.*?</metadata>|\s*<defs>\s*<style.*?</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="(?![mph][0-9a-f]{10}")[^"]*"', "", text)  # only referenced shapes need an id
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1).strip()
