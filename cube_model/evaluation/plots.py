"""Accuracy against parameters as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from cube_model.evaluation.leaderboard_tables import lines


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
    figure = Figure(figsize=(5.2 * len(sizes), 4.6), layout="constrained")
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for panel, size in zip(panels, sizes, strict=True):
        for line in found:
            if line.train_size not in (None, size):
                continue
            value = line.mean("accuracy_1_of_100")
            low, high = line.intervals["accuracy_1_of_100"]
            half = (high - low) / 2
            color = "tab:red" if line.method == "core" else "tab:blue"
            panel.errorbar(line.parameters, value, yerr=half, fmt="o", color=color, capsize=2, markersize=5)
            panel.annotate(line.method, (line.parameters, value), xytext=(5, 4), textcoords="offset points", fontsize=8)
        panel.set_xscale("symlog", linthresh=1e4)  # zero parameters have a place too
        panel.set_xlim(left=-2e3)
        panel.set_title("" if size is None else f"{size:,} training pairs")
        panel.set_xlabel("parameters")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("1-of-100 accuracy")
    figure.suptitle(f"Response selection, {source}")
    aside = path.with_name(f".{path.name}.tmp")
    try:
        figure.savefig(
            aside, format=path.suffix.lstrip("."), metadata={"Date": None} if path.suffix == ".svg" else None
        )
        aside.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error
