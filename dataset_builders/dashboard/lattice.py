"""A rotatable picture of a core's lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataset_builders.dashboard.charts import BLUE, VERMILION

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from dataset_builders.dashboard.texts import Texts

_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2

_FACES = np.array(
    [
        *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
        *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
    ]
)
"""Two triangles per face of a cube, as indices in `_CORNERS`."""

_SMALLEST, _LARGEST = 0.12, 0.85
"""Edge lengths of the cubes for the weakest and the strongest cell, in units of the distance between cells."""


def lattice_picture(states: np.ndarray, texts: Texts) -> Figure:
    """Draw each cell as a cube, which is larger and of a stronger colour the farther its state is from zero.

    Blue means below zero, vermilion above. Weak cells are small, so that the inside is visible.

    Args:
        states: States of the cells, shape (x, y, z).
        texts: Texts in the language of the visitor.
    """
    import plotly.graph_objects as go

    places, values = np.array(list(np.ndindex(states.shape))), states.ravel()
    bound = float(np.abs(values).max()) or 1.0
    edges = _SMALLEST + (_LARGEST - _SMALLEST) * np.abs(values) / bound
    corners = (places[:, None] + edges[:, None, None] * _CORNERS).reshape(-1, 3)
    faces = (_FACES + len(_CORNERS) * np.arange(len(places))[:, None, None]).reshape(-1, 3)
    title = texts("lattice.state")
    cubes = go.Mesh3d(
        **dict(zip("xyz", corners.T, strict=True)),
        **dict(zip("ijk", faces.T, strict=True)),
        intensity=np.repeat(values, len(_CORNERS)),
        colorscale=[[0.0, BLUE], [0.5, "#E8E8E8"], [1.0, VERMILION]],
        cmin=-bound,
        cmax=bound,
        flatshading=True,
        lighting={"ambient": 0.75, "diffuse": 0.5},
        customdata=np.repeat(places, len(_CORNERS), axis=0),
        hovertemplate="x %{customdata[0]}, y %{customdata[1]}, z %{customdata[2]}<br>"
        + title
        + " %{intensity:.3f}<extra></extra>",
        colorbar={"title": {"text": title, "side": "top"}, "orientation": "h", "y": -0.16, "thickness": 12, "len": 0.7},
    )
    figure = go.Figure(cubes)
    axes = {f"{name}axis": {"title": {"text": name}, "dtick": 1, "showbackground": False} for name in "xyz"}
    figure.update_layout(
        scene={**axes, "aspectmode": "data", "camera": {"eye": {"x": 1.3, "y": 1.2, "z": 0.8}}},
        margin={"l": 0, "r": 0, "t": 0, "b": 50},
        height=580,
    )
    return figure
