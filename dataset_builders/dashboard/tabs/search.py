"""Tab Search: find turns, pairs and labelled utterances by their words or their meaning, read and mark them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.choices import switch
from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.reading.hits import show_hits
from dataset_builders.dashboard.search.by_meaning import Vectors, similar
from dataset_builders.dashboard.search.full_text import MOST, RANKED, Kind, Search, Terms
from dataset_builders.dashboard.search.neighbours import teacher

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

_FLAGS = "SELECT DISTINCT flag FROM flag_counts WHERE config = '{config}' ORDER BY flag"


def show(page: Page) -> None:
    """Draw the tab."""
    t = page.texts
    kinds = {kind: t(f"config.{kind}") for kind in ("dialogues", "pairs", "downstream")}
    kind = switch("in", kinds, t("explorer.what"))
    text = st.text_input(
        t("search.text"),
        key="q",
        placeholder=t("search.hint"),
        help=t("search.help"),
        icon=":material/search:",
        bind="query-params",
        persist_state="session",
    )
    by_meaning = False
    if page.settings.vectors:
        ways = {"words": t("search.words"), "meaning": t("search.meaning")}
        by_meaning = switch("by", ways, t("search.by")) == "meaning"
    page.let_draw()
    if by_meaning:
        _by_meaning(page, kind, text.strip())
    else:
        _by_words(page, kind, text)


def _by_words(page: Page, kind: Any, text: str) -> None:
    t = page.texts
    order, flag = "relevance", ""
    if kind == "pairs":
        left, right = st.columns(2)
        with left:
            orders = {"relevance": t("search.relevance"), "worst": t("search.worst"), "best": t("search.best")}
            order = switch("order", orders, t("search.order"))
        with right:
            flag = _flag(page, kind)
    elif kind == "downstream":
        flag = _flag(page, kind)
    search = Search(kind, Terms.parse(text), page.filters, flag=flag, order=order)  # type: ignore[arg-type]
    if not search.terms and not flag and order == "relevance":
        st.caption(t("search.begin"))
        return
    frame = page.store.frame(*search.hits)
    if frame.empty:
        page.nothing("search.none")
        return
    number = int(frame["hits"].iat[0])
    title = t("search.found", n=number) if number <= MOST else t("search.found_most", n=number, most=MOST)
    page.heading(title, frame, search.every)
    if search.is_ranked and number > RANKED:
        st.caption(t("search.sampled", n=RANKED))
    show_hits(page, kind, _plain(frame), search.terms, search)


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The hits as plain values."""
    rows: list[dict[str, Any]] = frame.to_dict("records")
    for row in rows:
        if "flags" in row:
            row["flags"] = list(row["flags"])
    return rows


def _flag(page: Page, kind: Kind) -> str:
    flags = page.store.frame(_FLAGS.format(config=kind))["flag"].tolist()
    flag = st.selectbox(
        page.texts("search.flag"),
        flags,
        index=None,
        placeholder=page.texts("filter.all"),
        key=f"flag-{kind}",  # each kind has its own flags
        bind="query-params",
        persist_state="session",
    )
    return flag or ""


def _by_meaning(page: Page, kind: Any, text: str) -> None:
    t = page.texts
    if not text:
        st.caption(t("search.begin"))
        return
    vectors = Vectors.open(page.settings.vectors)
    with st.spinner(t("neighbours.loading", teacher=plain(page.settings.teacher))):
        encoder = teacher(page.settings.teacher)
    key = (page.store, page.settings.vectors, kind, text, page.filters)
    kept = st.session_state.get("similar")
    if kept is None or kept[0] != key:
        with st.spinner(t("search.comparing", n=len(vectors))):
            kept = key, similar(vectors, encoder, text, kind, page.filters, page.store.rows)
        st.session_state["similar"] = kept
    hits = [{**hit, "cosine": hit["score"]} for hit in kept[1]]
    if not hits:
        page.nothing("search.none")
        return
    st.caption(t("search.nearest", n=len(hits), all=len(vectors)))
    show_hits(page, kind, hits, Terms.parse(text), key)
