"""The lattice of a core as a picture that can be turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_builders.dashboard.charts import BLUE, VERMILION

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from dataset_builders.dashboard.texts import Texts


def lattice_picture(states: np.ndarray, texts: Texts, share: float) -> Figure:
    """Every cell as a point in its place, coloured by its state: blue below zero, white at zero, vermilion above.

    Args:
        states: `[x, y, z]`.
        texts: Of the visitor's language.
        share: Of the cells, those with the largest states: the others are faint, so that the inside can be seen.
    """
    import plotly.graph_objects as go

    x, y, z = (axis.ravel() for axis in np.indices(states.shape))
    values = states.ravel()
    bound = float(np.abs(values).max()) or 1.0
    strong = np.abs(values) >= np.quantile(np.abs(values), 1 - share)
    title = texts("lattice.state")
    hover = "x %{x}, y %{y}, z %{z}<br>" + title + " %{marker.color:.3f}<extra></extra>"
    scale = [[0.0, BLUE], [0.5, "#F7F7F7"], [1.0, VERMILION]]

    def cells(chosen: np.ndarray, size: float, opacity: float, **options: Any) -> Any:
        marker = {
            "size": size,
            "opacity": opacity,
            "color": values[chosen],
            "colorscale": scale,
            "cmin": -bound,
            "cmax": bound,
            "line": {"width": 0.5, "color": "#999"},
            **options,
        }
        return go.Scatter3d(
            x=x[chosen], y=y[chosen], z=z[chosen], mode="markers", marker=marker, hovertemplate=hover, showlegend=False
        )

    bar = {"title": {"text": title, "side": "top"}, "orientation": "h", "y": -0.08, "thickness": 12, "len": 0.8}
    figure = go.Figure([cells(~strong, 3, 0.25), cells(strong, 8, 0.95, colorbar=bar)])
    axes = {f"{name}axis": {"title": {"text": name}, "dtick": 1} for name in "xyz"}
    figure.update_layout(
        scene={**axes, "aspectmode": "data", "camera": {"eye": {"x": 1.5, "y": 1.5, "z": 1.1}}},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        height=480,
    )
    return figure
