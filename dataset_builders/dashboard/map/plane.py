"""The picture of a map in the browser: what it is sent, and what a visitor does with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dataset_builders.dashboard.charts import GREY, PALETTE
from dataset_builders.dashboard.filters import Filters
from dataset_builders.dashboard.map.config import Kind
from dataset_builders.dashboard.map.rows import inside
from dataset_builders.dashboard.map.rows import placed as placed_query
from dataset_builders.dashboard.store import Store

COLOURS = (*PALETTE, GREY)
"""Colour of each group, the last one for all others."""

_LETTERS = 90
"""Number of characters of a text beside the pointer."""

_LENGTH = 65_535
"""Largest coordinate in the browser."""


@dataclass(frozen=True)
class Placed:
    """Points of a map in the browser's numbers.

    Attributes:
        points: Number of each point in the table `map_points`, int32 of shape (n,).
        x: From 0 to 65,535, uint16 of shape (n,).
        y: The same upwards.
        codes: Group of each point, uint8 of shape (n,).
        names: Name of each group, the most frequent first; the last one may combine all other groups.
        counts: Number of points of each group.
        others: Number of groups in the last one; 0 if it is an ordinary one.
    """

    points: np.ndarray
    x: np.ndarray
    y: np.ndarray
    codes: np.ndarray
    names: tuple[str | None, ...]
    counts: tuple[int, ...]
    others: int


@st.cache_resource(max_entries=8, show_spinner=False)
def placed_points(store: Store, kind: Kind, group: str, filters: Filters) -> Placed:
    """The points that match the filters; a result of half a million takes 4 MB."""
    import pandas as pd

    columns = store.columns(*placed_query(kind, group, filters))
    codes, labels = pd.factorize(pd.Series(columns["name"]), use_na_sentinel=False)
    counts = np.bincount(codes, minlength=len(labels))
    order = np.lexsort([np.arange(len(labels)), -counts])
    others = max(0, len(labels) - len(PALETTE))
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.minimum(np.arange(len(labels)), len(PALETTE))
    top = order[: len(PALETTE)]
    return Placed(
        np.asarray(columns["point"], np.int32),
        _whole(columns["x"]),
        _whole(columns["y"]),
        rank[codes].astype(np.uint8) if len(codes) else np.zeros(0, np.uint8),
        tuple(None if pd.isna(labels[place]) else str(labels[place]) for place in top),
        (*counts[top].tolist(), *([int(counts[order[len(PALETTE) :]].sum())] if others else [])),
        others,
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def beginnings(store: Store, kind: Kind, filters: Filters) -> list[str]:
    """The beginnings of the texts of the points, in the order of `placed_points`."""
    return [text[:_LETTERS] for text in store.columns(*inside(kind, (), filters))["text"]]


def _whole(values: Any) -> np.ndarray:
    return np.round(np.asarray(values, np.float64) * _LENGTH).astype(np.uint16)


def payload(placed: Placed, header: Mapping[str, Any], hits: np.ndarray | None = None) -> bytes:
    """What the browser is sent: the length of a JSON header, the header, and the columns of the points.

    Args:
        placed: The points.
        header: Texts, names, colours and labels.
        hits: Numbers of the points to light up; None for no search.
    """
    about = {**header, "count": len(placed.x), "hits": hits is not None}
    text = json.dumps(about, ensure_ascii=False).encode()
    lit = np.zeros(len(placed.x), np.uint8) if hits is None else np.isin(placed.points, hits).astype(np.uint8)
    parts = [len(text).to_bytes(4, "little"), text, b" " * (-len(text) % 4)]
    return b"".join([*parts, placed.x.tobytes(), placed.y.tobytes(), placed.codes.tobytes(), lit.tobytes()])


@cache
def _component() -> Any:
    place = Path(__file__).parent
    html, css, js = (place.joinpath(f"map.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("dialogue_cube_map", html=html, css=css, js=js)


def show_plane(sent: bytes, key: str, on_area: Callable[[str], None], on_point: Callable[[int], None]) -> None:
    """Draw the map.

    Args:
        sent: Result of `payload`.
        key: Key of the widget.
        on_area: Called with the corners of an area that the visitor has drawn, as in an address; empty for none.
        on_point: Called with the place of a point in `Placed` that the visitor has clicked.
    """

    def area() -> None:
        on_area(str(st.session_state[key].get("area") or ""))

    def point() -> None:
        on_point(int(st.session_state[key].get("point") or 0))

    _component()(key=key, data=sent, on_area_change=area, on_point_change=point)
