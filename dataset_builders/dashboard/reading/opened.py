"""The window with the rows behind a count, which a click on a bar or a reason opens and the address names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.behind import PARAMETER, Behind
from dataset_builders.dashboard.chat import show_chat
from dataset_builders.dashboard.filters import COLUMNS
from dataset_builders.dashboard.page import close_rows, plain
from dataset_builders.dashboard.reading.marking import IDS, show_marks, show_rescue
from dataset_builders.dashboard.reasons import explained
from dataset_builders.dashboard.tabs.explorer import TURNS

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

ROWS = 100
"""Number of rows on a page of the window; the download has all of them."""

_LETTERS = 300
"""Number of characters of a text in the table; the download has whole texts."""

_COLUMNS = {
    "dialogues": ("text", "turn_count", "domains", "flags", "source", "split", "language", "license", "dialogue_id"),
    "pairs": ("anchor", "positive", "score", "flags", "source", "split", "language", "license", "pair_id"),
    "downstream": ("utterance", "label", "flags", "source", "split", "language", "license", "utterance_id"),
    "turns": ("text", "speaker", "words", "source", "split", "language", "dialogue_id"),
    "drops": ("text", "value", "source", "split", "license", "row_id"),
    "clusters": ("text", "source", "kind", "similarity", "nearest_id", "dialogue_id"),
    "leaks": ("text", "fate", "value", "source", "split", "row_id"),
}
"""Columns of the table by kind of rows."""

_NUMBERS = {"turn_count": "localized", "words": "localized", "score": "%.2f", "similarity": "%.2f"}


def show_opened(page: Page) -> None:
    """Open the window if the address names any rows."""
    values = st.query_params.get_all(PARAMETER)
    if not values:
        return
    behind = Behind.of_address(values)
    t = page.texts
    title = t("rows.title") if behind is None else heading(page, behind)
    window = st.dialog(plain(title), width="large", on_dismiss=close_rows)
    window(lambda: page.nothing("rows.unknown") if behind is None else _rows(page, behind))()


def heading(page: Page, behind: Behind) -> str:
    """What the rows are, such as `Pairs · Flag: wrong_language · Split: train`."""
    t = page.texts
    named = []
    for name, value in behind.conditions:
        shown = {
            "config": lambda value: t(f"short.{value}") if f"short.{value}" in t.entries else value,
            "leak": lambda value: t(f"leak.{value}"),
        }.get(name, lambda value: value.replace("..", "–"))(value)
        named.append(shown if name in ("config", "leak") else f"{t(f'column.{name}')}: {shown}")
    return " · ".join([t(f"rows.{behind.kind}"), *named])


def _rows(page: Page, behind: Behind) -> None:
    """Draw the window."""
    t = page.texts
    for name in ("filter", "flag", "leak"):
        if value := behind.get(name):
            st.markdown(explained(f"leak:{value}" if name == "leak" else value, t))
    page.unfiltered(behind.columns)
    query = behind.query(page.filters)
    number = int(page.store.value(query.count, query.parameters))
    if not number:
        page.nothing("rows.none")
        return
    _filter_button(page, behind)
    pages = math.ceil(number / ROWS)
    shown = st.pagination(pages, key=f"page-{hash(behind)}") if pages > 1 else 1
    rows = page.store.frame(f"{query.sql} LIMIT {ROWS} OFFSET {ROWS * (shown - 1)}", query.parameters)
    cut = rows.assign(text=rows["text"].str.slice(0, _LETTERS)) if "text" in rows else rows
    if "fate" in rows:
        cut = cut.assign(fate=cut["fate"].map(lambda fate: t(f"rows.{fate}")))
    first = ROWS * (shown - 1) + 1
    kind = behind.kind
    if kind == "duplicates":
        kind = "clusters" if behind.get("config") == "dialogues" else "downstream"
    state = page.table(
        t("rows.shown", first=first, last=first + len(rows) - 1, all=number),
        cut,
        {name: _NUMBERS.get(name, "") for name in _COLUMNS[kind]},
        every=(query.sql, query.parameters),
        height=min(38 + 35 * len(rows), 360),
        on_select="rerun",
        selection_mode="single-cell",
        key=f"opened-{hash(behind)}-{shown}",
    )
    cells = state.selection.cells
    if cells:
        _row(page, kind, rows.iloc[cells[0][0]].to_dict())
    else:
        st.caption(t("rows.choose"))


def _filter_button(page: Page, behind: Behind) -> None:
    """Offer to filter the page by the source, split and language of these rows."""
    values = {name: value for name, value in behind.conditions if name in COLUMNS}
    if not values:
        return

    def choose() -> None:
        for name, value in values.items():
            st.session_state[name] = [value]
        close_rows()

    label = page.texts("rows.filter", names=", ".join(map(plain, values.values())))
    st.button(label, icon=":material/filter_alt:", on_click=choose, key="filter-by-rows")


def _row(page: Page, kind: str, row: dict[str, Any]) -> None:
    """Show the texts of a row in full, the buttons that mark it, and its dialogue."""
    t = page.texts
    if kind == "drops":
        show_rescue(page, row)
    elif kind in IDS:
        show_marks(page, kind, row, "rows-")
    values = {name: value for name, value in row.items() if isinstance(value, str)}  # a missing one is None or NaN
    dialogue_id = values.get("dialogue_id")
    turns = page.store.only(None).rows(TURNS, [dialogue_id]) if dialogue_id else []
    for name in ("text", "anchor", "positive", "utterance"):
        if name in values and not (turns and name == "text"):
            st.caption(t(f"column.{name}"))
            st.text(values[name])
    if not dialogue_id:
        return
    if not turns:
        page.nothing("rows.dialogue_dropped", id=dialogue_id)
        return
    marked = row.get("turn_index")
    if marked is None:  # the id of a pair ends with the index of its first turn
        number = values.get("row_id", "").rpartition("#")[2]
        marked = int(number) if number.isdecimal() else None
    with st.container(border=True, height=420, autoscroll=False):
        show_chat(turns, t, marked)
