"""Plot of accuracy against parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from cube_model.evaluation.leaderboard.tables import lines
from dataset_builders.common.outputs import Output, file_kind, output_file

_PLOT = file_kind(
    "plots", *(b"<?xml", b"<svg", b"\x89png", b"%", b"\xff\xd8", b"riff", b"gif8", b"ii*", b"mm"), error=ModelError
)
"""Files that begin like SVG, PNG, PDF, PostScript, JPEG, WebP, GIF or TIFF."""

_MARKERS = "osDv^<>pPX*hd"

_OFFSET = 4.0
"""Points (1/72 inch) between methods of similar size, which would otherwise hide each other."""


def check_plot(path: Path) -> None:
    """Check that a plot can be written, before hours of computing.

    Raises:
        ModelError: matplotlib is not installed or does not support the file name's extension, or the file exists and is
            not a plot.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise ModelError("--plot needs matplotlib: pip install 'dialogue-cube[report]'") from error
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.lstrip(".") not in formats:
        raise ModelError(f"--plot {path}: unknown extension; use one of {', '.join(sorted(formats))}")
    Output(path, _PLOT).check()


def plot_leaderboard(results: Sequence[Mapping[str, Any]], source: str, path: Path) -> None:
    """Plot 1-of-100 accuracy, with 95 % intervals over dialogues, against parameters.

    There is a panel for each training size. Equal results give equal bytes.

    Args:
        results: `results` of a leaderboard's JSON.
        source: Tested source.
        path: Output file; its extension selects the format.

    Raises:
        ModelError: See `check_plot`; or the file cannot be written.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.transforms import ScaledTranslation

    rows = lines(results, source)
    sizes: list[int | None] = [*sorted({line.train_size for line in rows if line.train_size is not None})] or [None]
    names = sorted({line.method for line in rows}, key=lambda name: (name != "core", name))  # the core comes first
    colours = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
    colours = [*colours[::2], *colours[1::2]]
    figure = Figure(figsize=(4.4 * len(sizes) + 1.4, 4.2), layout="constrained")
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for panel, size in zip(panels, sizes, strict=True):
        shown = [line for line in rows if line.train_size in (None, size)]
        for line, offset in zip(shown, _offsets([line.parameters for line in shown]), strict=True):
            number = names.index(line.method)
            low, high = line.intervals["accuracy_1_of_100"]
            shift = ScaledTranslation(offset * _OFFSET / 72, 0, figure.dpi_scale_trans)
            panel.errorbar(
                line.parameters,
                line.mean("accuracy_1_of_100"),
                yerr=(high - low) / 2,
                fmt=_MARKERS[number % len(_MARKERS)],
                color=colours[number % len(colours)],
                markersize=8 if line.method == "core" else 5,
                capsize=2,
                label=line.method,
                transform=panel.transData + shift,
            )
        panel.set_xscale("symlog", linthresh=1e4)  # the axis includes zero parameters
        panel.set_xlim(-4e3, 3 * max(line.parameters for line in rows) + 1e4)
        panel.set_title("" if size is None else f"{size:,} training pairs")
        panel.set_xlabel("parameters (about equal ones side by side)")
        panel.grid(alpha=0.3)
    # matplotlib ignores shifted points when it computes the limits
    highest = max(line.intervals["accuracy_1_of_100"][1] for line in rows)
    panels[0].set_ylim(0, min(1.0, 1.08 * highest))
    panels[0].set_ylabel("1-of-100 accuracy")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    first = results[0]
    figure.suptitle(f"Response selection: {source}, {first['encoder']}, {1 + first['context_turns']} turns")
    try:
        with matplotlib.rc_context({"svg.hashsalt": ""}), output_file(path, _PLOT) as file:
            figure.savefig(
                file, format=path.suffix.lstrip("."), metadata={"Date": None} if path.suffix == ".svg" else None
            )
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error


def _offsets(parameters: Sequence[int]) -> list[float]:
    """Return an offset for each method: 0 if alone, else -(n-1)/2 to (n-1)/2 among n methods of similar size."""
    offsets = [0.0] * len(parameters)
    order = sorted(range(len(parameters)), key=lambda i: parameters[i])
    groups: list[list[int]] = []
    for i in order:
        if groups and parameters[i] <= 1.1 * parameters[groups[-1][0]]:
            groups[-1].append(i)
        else:
            groups.append([i])
    for group in groups:
        for rank, i in enumerate(group):
            offsets[i] = rank - (len(group) - 1) / 2
    return offsets
