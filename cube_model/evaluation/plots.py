"""Accuracy against parameters as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from cube_model.evaluation.leaderboard_tables import lines

_MARKERS = "osDv^<>pPX*h"


def check_plot(path: Path) -> None:
    """Find out before hours of computing whether the picture can be made.

    Raises:
        ModelError: matplotlib is not installed, or it does not know the file's ending.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise ModelError("--plot needs matplotlib: pip install 'dialogue-cube[report]'") from error
    known = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.lstrip(".") not in known:
        raise ModelError(f"--plot {path}: unknown ending; use one of {', '.join(sorted(known))}")


def plot_leaderboard(results: Sequence[Mapping[str, Any]], source: str, path: Path) -> None:
    """Draw 1-of-100 accuracy (95 % interval over dialogues) against parameters, one panel a training size.

    Args:
        results: `results` of a leaderboard's JSON.
        source: The tested source to draw.
        path: File to write; its ending says the format.

    Raises:
        ModelError: See `check_plot`; or the file cannot be written.
    """
    check_plot(path)
    from matplotlib.figure import Figure

    found = lines(results, source)
    sizes: list[int | None] = [*sorted({line.train_size for line in found if line.train_size is not None})] or [None]
    names = sorted({line.method for line in found}, key=lambda name: (name != "core", name))  # the core comes first
    figure = Figure(figsize=(4.4 * len(sizes) + 1.4, 4.2), layout="constrained")
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for panel, size in zip(panels, sizes, strict=True):
        for line in found:
            if line.train_size not in (None, size):
                continue
            number = names.index(line.method)
            low, high = line.intervals["accuracy_1_of_100"]
            panel.errorbar(
                line.parameters,
                line.mean("accuracy_1_of_100"),
                yerr=(high - low) / 2,
                fmt=_MARKERS[number % len(_MARKERS)],
                color=f"C{number % 10}",
                capsize=2,
                label=line.method,
            )
        panel.set_xscale("symlog", linthresh=1e4)  # zero parameters have a place too
        panel.set_xlim(left=-2e3)
        panel.set_title("" if size is None else f"{size:,} training pairs")
        panel.set_xlabel("parameters")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("1-of-100 accuracy")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    figure.suptitle(f"Response selection, {source}")
    aside = path.with_name(f".{path.name}.tmp")
    try:
        figure.savefig(
            aside, format=path.suffix.lstrip("."), metadata={"Date": None} if path.suffix == ".svg" else None
        )
        aside.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error
