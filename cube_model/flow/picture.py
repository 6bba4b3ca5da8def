"""The picture of a flow as a PNG file; equal flows give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.flow.drawing import COLOURS, Box, Curve, Drawing
from cube_model.flow.layout import HEIGHT, WIDTH, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = 86
"""Height of the title and the legend, in pixels."""

_DPI = 100
_PIXELS = 50e6
"""Largest number of pixels, 4 bytes each; the picture of a flow with hundreds of steps is drawn smaller."""

_FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans Arabic"]
"""The first comes with matplotlib and has Latin, Greek and Cyrillic letters; the others are used if installed."""


def save_picture(drawing: Drawing, file: Path) -> None:
    """Draw a flow.

    Args:
        drawing: Boxes and curves.
        file: PNG file to write.
    """
    import warnings

    import matplotlib
    from matplotlib.figure import Figure

    width, height = drawing.size[0], drawing.size[1] + _TITLE
    dpi = _DPI * min(1.0, (_PIXELS / (width * height)) ** 0.5)
    style: Any = {"font.family": _installed(_FONTS), "text.parse_math": False}  # a dollar sign in a text means nothing
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter that no installed font has is drawn as a frame
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=dpi, facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(height - _TITLE, -_TITLE)
        axes.axis("off")
        _title(axes, drawing)
        for curve in drawing.curves:
            _curve(axes, curve)
        for box in drawing.boxes:
            _box(axes, box)
        for curve in drawing.curves:
            _label(axes, curve)
        figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})


def _installed(names: Sequence[str]) -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in names if name in installed]


def _points(pixels: float) -> float:
    """The size of a font in points."""
    return pixels * 72 / _DPI


def _title(axes: Axes, drawing: Drawing) -> None:
    axes.text(16, 22 - _TITLE, drawing.title, fontsize=_points(20), fontweight="bold", va="center")
    axes.text(16, 46 - _TITLE, drawing.subtitle, fontsize=_points(13), color="#555555", va="center")
    x = 16.0
    for kind, text in (("user", "user"), ("system", "system")):
        _frame(axes, (x + 9, 70 - _TITLE), (18, 12), kind, False, 3)
        axes.text(x + 24, 70 - _TITLE, text, fontsize=_points(12), va="center")
        x += 84
    axes.plot([x, x + 30], [70 - _TITLE, 70 - _TITLE], color=COLOURS["main"], linewidth=3)
    note = "way of a typical dialogue; figures: probability of a transition"
    axes.text(x + 38, 70 - _TITLE, note, fontsize=_points(12), va="center")


def _curve(axes: Axes, curve: Curve) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Outline

    vertices: list[Point] = [curve.points[0]]
    codes: list[Any] = [Outline.MOVETO]
    for a, b in pairwise(curve.points):
        middle = (a[1] + b[1]) / 2
        vertices += [(a[0], middle), (b[0], middle), b]
        codes += [Outline.CURVE4] * 3
    arrow = FancyArrowPatch(
        path=Outline(vertices, codes),
        arrowstyle="-|>",
        mutation_scale=11 if curve.is_main else 9,
        color=curve.colour,
        alpha=curve.opacity,
        linewidth=curve.width,
        zorder=3 if curve.is_main else 1,
    )
    axes.add_patch(arrow)


def _frame(axes: Axes, centre: Point, size: Point, kind: str, is_main: bool, radius: float = 8) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    style = f"round,pad=0,rounding_size={radius}"
    line, thickness = (COLOURS["main"], 2.2) if is_main else (COLOURS[f"{kind} line"], 1)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            *size,
            boxstyle=style,
            facecolor=COLOURS[kind],
            edgecolor=line,
            linewidth=thickness,
            zorder=4,
        )
    )


def _box(axes: Axes, box: Box) -> None:
    x, y = box.centre
    if not box.lines:  # start and end
        _frame(axes, box.centre, (110, 34), box.kind, box.is_main, 17)
        axes.text(x, y, box.heading, fontsize=_points(13), fontweight="bold", ha="center", va="center", zorder=5)
        return
    _frame(axes, box.centre, (WIDTH, HEIGHT), box.kind, box.is_main)
    left, line = x - WIDTH / 2 + 9, y - HEIGHT / 2 + 13
    if box.heading:
        axes.text(left, line, box.heading, fontsize=_points(11), fontweight="bold", va="center", zorder=5)
        line += 16
    for text in box.lines:
        axes.text(left, line, text, fontsize=_points(11), va="center", zorder=5)
        line += 15
    small = y + HEIGHT / 2 - 11
    axes.text(left, small, box.small, fontsize=_points(10), color="#555555", va="center", zorder=5)


def _label(axes: Axes, curve: Curve) -> None:
    if not curve.label:
        return
    look: dict[str, Any] = {
        "fontsize": _points(9.5),
        "fontweight": "bold" if curve.is_main else "normal",
        "color": COLOURS["main"] if curve.is_main else "#333333",
        "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
    }
    axes.text(*curve.label_at, curve.label, ha="center", va="center", zorder=6, **look)
