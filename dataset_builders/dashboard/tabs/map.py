"""Tab Map: a 2-D picture of utterances or dialogues, and the rows of an area, of a search or of a point."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from dataset_builders.dashboard.chat import show_chat
from dataset_builders.dashboard.choices import switch
from dataset_builders.dashboard.map import rows as map_rows
from dataset_builders.dashboard.map.plane import COLOURS, Placed, beginnings, payload, placed_points, show_plane
from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.search.by_meaning import Vectors
from dataset_builders.dashboard.search.full_text import Terms
from dataset_builders.dashboard.search.neighbours import teacher
from dataset_builders.dashboard.tabs.explorer import TURNS

if TYPE_CHECKING:
    from dataset_builders.dashboard.map.config import Kind
    from dataset_builders.dashboard.page import Page

ROWS = 50
"""Number of rows on a page of the table; the download has all of them."""

NEAREST = 500
"""Number of points that a search by meaning lights up."""

TIPS = 20_000
"""Largest number of points whose texts the browser gets, to show them beside the pointer."""

_WORD = 24
"""Number of characters of a word in a label."""

_RUN = "SELECT dataset_fingerprint FROM runs ORDER BY run DESC LIMIT 1"

_AREA, _POINT = "area", "point"
"""Names of the selected area and of the open point in the address."""


def show(page: Page) -> None:
    """Draw the tab."""
    t = page.texts
    whole = page.store.only(None)
    maps = {row["kind"]: json.loads(row["facts"]) for row in whole.rows(map_rows.MAPS)} if _has_maps(page) else {}
    if not maps:
        page.nothing("map.none")
        return
    with st.container(horizontal=True):
        kind: Any = switch("of", {kind: t(f"map.{kind}") for kind in maps}, t("map.of"))
        group = switch("colour", {name: t(f"column.{name}") for name in map_rows.GROUPS}, t("map.colour"))
    facts = maps[kind]
    placed = placed_points(page.store, kind, group, page.filters)
    if not len(placed.points):
        page.nothing("map.empty")
        return
    hits = _hits(page, kind)
    area = map_rows.read_area(st.query_params.get(_AREA, ""))
    header = _header(page, kind, facts, group, placed, area)
    show_plane(
        payload(placed, header, hits[0] if hits else None),
        f"plane-{kind}",
        _select,
        lambda place: _open(int(placed.points[place])),
    )
    st.caption(_about(page, kind, facts, placed))
    if facts["dataset_fingerprint"] != whole.value(_RUN):
        st.caption(t("map.stale"))
    _point(page, kind)
    _selected(page, kind, area, hits)


def _has_maps(page: Page) -> bool:
    return bool(page.store.only(None).value(map_rows.HAS_MAPS))


def _select(area: str) -> None:
    st.query_params.pop(_POINT, None)
    if area:
        st.query_params[_AREA] = area
    else:
        st.query_params.pop(_AREA, None)


def _open(point: int) -> None:
    st.query_params[_POINT] = str(point)


def _close() -> None:
    st.query_params.pop(_POINT, None)


def _header(
    page: Page, kind: Kind, facts: dict[str, Any], group: str, placed: Placed, area: map_rows.Corners
) -> dict[str, Any]:
    """What the browser shows beside the points: names of the groups, labels of the clusters, texts of the buttons."""
    t = page.texts
    names = [t("map.no_value") if name is None else name for name in placed.names]
    regions = page.store.only(None).rows(map_rows.REGIONS, [kind])
    tips = beginnings(page.store, kind, page.filters) if len(placed.points) <= TIPS else []
    return {
        "of": kind,
        "width": facts["width"],
        "height": facts["height"],
        "by": [group, t.language],
        "names": [*names, *([t("map.others", n=placed.others)] if placed.others else [])],
        "colours": COLOURS[: len(names)] + COLOURS[-1:] * bool(placed.others),
        "counts": [t.number(count) for count in placed.counts],
        "labels": [
            {"x": region["x"], "y": region["y"], "level": region["level"], "text": _label(region["words"])}
            for region in regions
            if region["words"]
        ],
        "texts": {
            name: t(f"map.{name}") for name in ("title", "pan", "box", "lasso", "clear", "nearer", "farther", "whole")
        },
        "area": [list(corner) for corner in area],
        "tips": tips,
    }


def _label(words: list[str]) -> str:
    """The words of a cluster; a very long one would leave no room for others."""
    return ", ".join(word if len(word) <= _WORD else f"{word[:_WORD]}…" for word in words)


def _about(page: Page, kind: Kind, facts: dict[str, Any], placed: Placed) -> str:
    """What is on the map, how large the sample is, and how to read it."""
    t = page.texts
    key = "map.shown" if kind == "utterances" else "map.shown_dialogues"
    drawn_from = facts["rows"] - facts["without_vector"]
    parts = [t(key if facts["points"] < drawn_from else f"{key}_all", n=facts["points"], all=drawn_from)]
    if page.filters:
        parts.append(t("map.filtered", n=len(placed.points)))
    if facts["without_vector"]:
        parts.append(t("map.without_vector", n=facts["without_vector"]))
    encoder = plain(facts["encoder"])
    parts.append(t("map.how", encoder=encoder, fitted=facts["fitted"], seed=str(facts["seed"])))
    return " ".join([*parts, t("map.select")])


def _hits(page: Page, kind: Kind) -> tuple[np.ndarray, str, list[Any]] | None:
    """Show a search, and return the points that it lights up, their condition in SQL and its parameters."""
    t = page.texts
    has_vectors = kind == "utterances" and bool(page.settings.vectors)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            t("map.light"),
            key="light",
            placeholder=t("map.light_hint"),
            icon=":material/search:",
            bind="query-params",
            persist_state="session",
        ).strip()
        ways = {"words": t("search.words"), "meaning": t("search.meaning")}
        by_meaning = has_vectors and switch("light-by", ways, t("search.by")) == "meaning"
    page.let_draw()
    if not text:
        return None
    if by_meaning:
        encoder = teacher(page.settings.teacher)
        vectors = Vectors.open(page.settings.vectors)
        best = vectors.best(encoder.encode([text])[0], NEAREST)
        hits = np.asarray(page.store.columns(*map_rows.near(kind, list(best)))["point"])
        condition, values = f"point IN ({', '.join(map(str, hits.tolist())) or 'NULL'})", list[Any]()
    else:
        query, values = map_rows.lit(kind, Terms.parse(text))
        hits = np.asarray(page.store.columns(query, values)["point"])
        condition, values = map_rows.AMONG, [",".join(map(str, hits.tolist())) or "-1"]
    st.caption(t("map.lit_meaning" if by_meaning else "map.lit", n=len(hits)))
    return hits, condition, values


def _point(page: Page, kind: Kind) -> None:
    """Show the point that the address names."""
    number = st.query_params.get(_POINT, "")
    if not (number.isascii() and number.isdecimal()):
        return
    query, parameters = map_rows.inside(kind, (), page.filters, f"point = {int(number)}")
    for row in page.store.rows(query, parameters):
        with st.container(border=True):
            _row(page, row)
            st.button(
                page.texts("map.close"),
                icon=":material/close:",
                type="tertiary",
                on_click=_close,
            )


def _row(page: Page, row: dict[str, Any]) -> None:
    """Show a row in full, with its dialogue."""
    names = ("source", "split", "language", "domain", "intent", "flag", "row_id")
    st.caption(plain(" · ".join(row[name] for name in names if isinstance(row[name], str))))
    if not isinstance(row["dialogue_id"], str):
        st.text(row["text"])
        return
    turns = page.store.only(None).rows(TURNS, [row["dialogue_id"]])
    marked = None if row["turn_index"] is None or row["turn_index"] != row["turn_index"] else int(row["turn_index"])
    with st.container(height=420, border=False, autoscroll=False):
        show_chat(turns, page.texts, marked)


def _selected(page: Page, kind: Kind, area: map_rows.Corners, hits: tuple[np.ndarray, str, list[Any]] | None) -> None:
    """Show the rows of the area, or those that light up."""
    t = page.texts
    if not area and hits is None:
        return
    condition, values = "", list[Any]()
    if hits is not None and (not area or st.toggle(t("map.only_lit"), value=True, key="only-lit")):
        _, condition, values = hits
    query, parameters = map_rows.inside(kind, area, page.filters, condition, values)
    number = int(page.store.value(*map_rows.number_inside(kind, area, page.filters, condition, values)))
    if not number:
        page.nothing("map.no_rows")
        return
    pages = math.ceil(number / ROWS)
    shown = st.pagination(pages, key=f"map-page-{hash((query, *map(str, parameters)))}") if pages > 1 else 1
    first = ROWS * (shown - 1)
    window = page.store.frame(*map_rows.inside(kind, area, page.filters, condition, values, most=ROWS, first=first))
    frame = window.assign(text=window["text"].str.slice(0, 300))
    names = ("text", "source", "split", "language", "domain", "intent", "flag")
    state = page.table(
        t("map.selected" if area else "map.selected_lit", first=first + 1, last=first + len(window), all=number),
        frame,
        {**dict.fromkeys(names, ""), "rows": "localized", "row_id": ""},
        t("rows.choose"),
        every=(query, parameters),
        height=min(38 + 35 * len(window), 360),
        on_select="rerun",
        selection_mode="single-row",
        key=f"map-rows-{hash((query, shown, *map(str, parameters)))}",
    )
    if state.selection.rows:
        with st.container(border=True):
            _row(page, window.iloc[state.selection.rows[0]].to_dict())
