"""Plot of a leaderboard: accuracy of every method with its parameters, and its difference to the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from cube_model.evaluation.leaderboard.tables import Line, lines
from dataset_builders.common.file_kinds import MARK, file_kind
from dataset_builders.common.outputs import Output, output_file

_MARK = f"{MARK} leaderboard"
_FORMATS: dict[str, dict[str, str | None]] = {
    ".png": {"Software": _MARK},
    ".svg": {"Creator": _MARK, "Date": None},
    ".pdf": {"Creator": _MARK, "CreationDate": None},
}
"""File name's extension -> metadata, with the mark that no plot of somebody else has."""

_PLOT = file_kind("plots", b"<?xml", b"<svg", b"\x89png", b"%pdf", mark=_MARK, error=ModelError)

_METRIC = "accuracy_1_of_100"

_CORE, _BETTER, _WORSE, _LEVEL = "#0b3d91", "#1b7837", "#b35806", "#767676"
"""Colours of the core, and of methods whose interval lies above, below or around zero; also apart in grey."""


def check_plot(path: Path) -> None:
    """Check that a plot can be written, before hours of computing.

    Raises:
        ModelError: matplotlib is not installed, the extension is not .png, .svg or .pdf, or the file exists and is no
            plot of a leaderboard.
    """
    if find_spec("matplotlib") is None:
        raise ModelError("--plot needs matplotlib: pip install 'dialogue-cube[report]'")
    if path.suffix not in _FORMATS:
        raise ModelError(f"--plot {path}: unknown extension; use one of {', '.join(_FORMATS)}")
    Output(path, _PLOT).check()


def plot_leaderboard(
    results: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]], source: str, path: Path
) -> None:
    """Plot 1-of-100 accuracy and the differences to the core, both with 95 % intervals over dialogues.

    Each training size has a row of panels, in which the methods are sorted by accuracy and labelled with their numbers
    of parameters. Equal results give equal bytes.

    Args:
        results: `results` of a leaderboard's JSON.
        differences: `differences` of the same file; without the core there are none.
        source: Tested source.
        path: Output file; its extension selects the format.

    Raises:
        ModelError: See `check_plot`; or the file cannot be written.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure

    rows = lines(results, source)
    sizes: list[int | None] = [*sorted({line.train_size for line in rows if line.train_size is not None})] or [None]
    shown = [[line for line in rows if line.train_size in (None, size)] for size in sizes]
    heights = [0.9 + 0.23 * len(block) for block in shown]
    figure = Figure(figsize=(10, 0.9 + sum(heights)), layout="constrained")
    grid = figure.subplots(
        len(sizes), 2, sharex="col", squeeze=False, gridspec_kw={"height_ratios": heights, "width_ratios": (5, 6)}
    )
    for (left, right), size, block in zip(grid, sizes, shown, strict=True):
        block = sorted(block, key=lambda line: line.mean(_METRIC))
        to_core = {
            each["method"]: each for each in differences if each["source"] == source and each["train_size"] == size
        }
        colours = [_colour(line, to_core) for line in block]
        _accuracies(left, block, colours)
        _differences(right, block, colours, to_core)
        left.set_title("" if size is None else f"{size:,} training pairs", loc="left", fontsize=10, weight="bold")
    # matplotlib leaves room for dots and intervals, not for the figures beside them
    grid[0][0].set_xlim(0, 1.14 * max(line.intervals[_METRIC][1] for line in rows))
    ends = [0.0, *(end for each in differences if each["source"] == source for end in each["ci95"])]
    span = max(max(ends) - min(ends), 0.01)
    grid[0][1].set_xlim(min(ends) - 0.03 * span, max(ends) + 0.62 * span)
    grid[0][1].set_xticks([tick for tick in grid[0][1].get_xticks() if min(ends) <= tick <= max(ends)])
    grid[-1][0].set_xlabel("1-of-100 accuracy")
    grid[-1][1].set_xlabel("difference to the core")
    first = results[0]
    figure.suptitle(
        f"Response selection: {source}, {first['encoder']}, {1 + first['context_turns']} turns. 95 % intervals over "
        "dialogues;\ndifferences are paired: green above the core, brown below, grey where the interval holds zero",
        fontsize=10,
    )
    try:
        with matplotlib.rc_context({"svg.hashsalt": "", "svg.fonttype": "none"}), output_file(path, _PLOT) as file:
            figure.savefig(file, format=path.suffix.lstrip("."), metadata=_FORMATS[path.suffix])
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error


def _accuracies(axes: Any, block: Sequence[Line], colours: Sequence[str]) -> None:
    """Draw a dot with its interval and its figure for each method; the axis names the methods and their parameters."""
    for place, (line, colour) in enumerate(zip(block, colours, strict=True)):
        low, high = line.intervals[_METRIC]
        value, half = line.mean(_METRIC), (high - low) / 2
        axes.hlines(place, value - half, value + half, color=colour, linewidth=2)
        axes.plot(value, place, marker="D" if line.method == "core" else "o", markersize=5, color=colour)
        axes.annotate(
            f"{value:.3f}", (value + half, place), (5, 0), textcoords="offset points", va="center", fontsize=8
        )
    width = max(len(f"{line.parameters:,}") for line in block)
    names = [f"{line.method}  {line.parameters:>{width},}" for line in block]
    axes.set_yticks(range(len(block)), [name.replace(" ", "\N{NO-BREAK SPACE}") for name in names])  # SVG joins blanks
    for label, line, colour in zip(axes.get_yticklabels(), block, colours, strict=True):
        label.set(family="monospace", fontsize=8, color=colour, weight="bold" if line.method == "core" else "normal")
    axes.set_title("method, parameters", loc="right", x=-0.01, fontsize=8, color=_LEVEL, ha="right")
    axes.set_ylim(-0.7, len(block) - 0.3)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="x", labelbottom=True, labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _differences(
    axes: Any, block: Sequence[Line], colours: Sequence[str], to_core: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draw the difference of each method to the core with its interval, and the figure."""
    axes.axvline(0, color=_CORE, linewidth=1)
    for place, (line, colour) in enumerate(zip(block, colours, strict=True)):
        if (each := to_core.get(line.method)) is None:
            continue
        low, high = each["ci95"]
        axes.hlines(place, low, high, color=colour, linewidth=2)
        axes.plot(each["value"], place, marker="o", markersize=4, color=colour)
        axes.annotate(
            f"{each['value']:+.3f}  ({low:+.3f} to {high:+.3f})",
            (max(high, 0), place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
        )
    axes.set_yticks([])
    axes.set_ylim(-0.7, len(block) - 0.3)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="x", labelbottom=True, labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _colour(line: Line, to_core: Mapping[str, Mapping[str, Any]]) -> str:
    if line.method == "core":
        return _CORE
    if line.method not in to_core:
        return _LEVEL
    low, high = to_core[line.method]["ci95"]
    return _BETTER if low > 0 else _WORSE if high < 0 else _LEVEL
