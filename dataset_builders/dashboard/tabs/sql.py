"""Tab SQL: a box for queries, with examples and the list of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dataset_builders.common.errors import DataError
from dataset_builders.dashboard.guard import has_token
from dataset_builders.dashboard.page import csv, plain, shown_first
from dataset_builders.dashboard.querying import DOWNLOADED, EXAMPLES, SECONDS, SHOWN, answer
from dataset_builders.database.asking import described

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

_BOX = "sql"
"""Name of the query in the session and in the address."""

_RUN = "sql-run"
"""The query that the visitor has run. One from an address alone is shown and not run."""


def show(page: Page) -> None:
    """Draw the tab."""
    t = page.texts
    if not has_token(page.settings.token, st.query_params.get("token", "")):
        page.nothing("sql.no_token")
        return
    left, right = st.columns([3, 2])
    with right:
        _tables(page)
    with left:
        _box(page)
    query = st.session_state.get(_RUN, "")
    if not query.strip():
        st.caption(t("sql.note", n=SHOWN, seconds=int(SECONDS)))
        return
    _answer(page, query)


def _box(page: Page) -> None:
    """Show the box and the examples."""
    t = page.texts
    titles = {name: t(f"sql.example_{name}") for name in EXAMPLES}

    def fill() -> None:
        if name := st.session_state["sql-example"]:
            st.session_state[_BOX] = EXAMPLES[name]

    def run() -> None:
        st.session_state[_RUN] = st.session_state[_BOX]

    st.selectbox(
        t("sql.examples"),
        list(titles),
        index=None,
        format_func=lambda name: titles.get(name, name),
        placeholder=t("sql.choose"),
        key="sql-example",
        on_change=fill,
    )
    with st.form("sql-form", border=False):
        st.text_area(
            t("sql.query"),
            key=_BOX,
            height=200,
            placeholder="FROM dialogue_statistics",
            help=t("sql.help"),
            bind="query-params",
            persist_state="session",
        )
        st.form_submit_button(t("sql.run"), icon=":material/play_arrow:", on_click=run)


def _tables(page: Page) -> None:
    """List the tables; a click on one writes a query on it into the box."""
    t = page.texts
    tables = pd.DataFrame(described(), columns=["name", "of", "holds"])

    def fill() -> None:
        if cells := st.session_state["sql-tables"].selection.cells:
            st.session_state[_BOX] = f"FROM {tables['name'].iat[cells[0][0]]}"

    page.table(
        t("sql.tables"),
        tables,
        {"name": "", "holds": "", "of": ""},
        t("sql.tables_note"),
        height=310,
        key="sql-tables",
        on_select=fill,
        selection_mode="single-cell",
    )


def _answer(page: Page, query: str) -> None:
    """Show the rows of a query, or its error in one line."""
    t = page.texts
    try:
        with st.spinner(t("sql.running")):
            rows, is_cut = answer(page.store, query, SHOWN)
    except DataError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    names = [str(name) for name in rows.columns]
    short = shown_first(names)
    kind = "toolbar" if len(short) == len(names) else "plain"
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", key=f"heading-{kind}-sql"):
        key = "sql.shown_some" if is_cut else "sql.shown"
        st.markdown(f"**{t(key, n=len(rows))}**", width="stretch")
        st.download_button(
            "CSV",
            lambda: csv(answer(page.store, query, DOWNLOADED)[0]),
            file_name="query.csv",
            mime="text/csv",
            help=t("sql.download", n=DOWNLOADED),
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
    widths = page.widths("sql", names, short)
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        height=min(38 + 35 * max(len(rows), 1), 560),
        column_order=list(widths),
        column_config={name: st.column_config.Column(width=width) for name, width in widths.items() if width},
    )
