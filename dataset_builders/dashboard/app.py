"""The page itself; `streamlit run` would start it, `dialogue-cube dashboard` does."""

from __future__ import annotations

import logging
from collections.abc import Callable

import streamlit as st

from dataset_builders.dashboard import (
    sidebar,
    tab_dialogs,
    tab_downstream,
    tab_explorer,
    tab_licences,
    tab_model,
    tab_pairs,
    tab_quality,
)
from dataset_builders.dashboard.page import Page
from dataset_builders.dashboard.settings import Settings
from dataset_builders.dashboard.store import Store
from dataset_builders.dashboard.texts import LANGUAGES, Texts, load_texts

TABS: dict[str, Callable[[Page], None]] = {
    "dialogs": tab_dialogs.show,
    "pairs": tab_pairs.show,
    "downstream": tab_downstream.show,
    "quality": tab_quality.show,
    "explorer": tab_explorer.show,
    "model": tab_model.show,
    "licences": tab_licences.show,
}
"""Name in the address -> what draws it."""

LOG = logging.getLogger(__name__)

STYLE = """<style>
.stMainBlockContainer {padding-top: 3.2rem}
.stMetric [data-testid="stMetricValue"] {font-size: 1.6rem}
</style>"""


def main() -> None:
    """Draw the page for one visitor."""
    settings = Settings.read()
    st.set_page_config("Dialogue Cube", ":material/view_in_ar:", layout="wide")
    st.html(STYLE)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        heading = st.empty()
        texts = load_texts(_language(settings))
    heading.subheader(texts("page.title"), anchor=False)
    guarded(texts, lambda: _body(settings, texts))


def _body(settings: Settings, texts: Texts) -> None:
    store = Store.at(settings.database)
    filters = sidebar.choose(store, texts)
    page = Page(store, filters, texts, settings)
    _tabs(page)
    sidebar.about(store, texts)


def _tabs(page: Page) -> None:
    """Only the tab that is open is drawn; which one stands in the address by its name, whatever the language."""
    texts = page.texts
    labels = {texts(f"tab.{name}"): name for name in TABS}
    key = f"tabs-{texts.language}"
    named = st.query_params.get("tab")
    start = next((label for label, name in labels.items() if name == named), None)

    def changed() -> None:
        st.query_params["tab"] = labels[st.session_state[key]]

    tabs = st.tabs(list(labels), key=key, default=start, on_change=changed)
    for tab, name in zip(tabs, TABS, strict=True):
        if tab.open:
            with tab:
                guarded(texts, lambda name=name: TABS[name](page))  # type: ignore[misc]


def guarded(texts: Texts, draw: Callable[[], None]) -> None:
    """Draw; what goes wrong is one line on the page, and a traceback in the log of the command."""
    try:
        draw()
    except Exception as error:  # plug-ins raise errors of their own
        LOG.exception("the page could not be drawn")
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        st.error(texts("page.error", error=first), icon=":material/error:")


def _language(settings: Settings) -> str:
    """The language of the interface, from its switch or the address."""
    chosen = st.segmented_control(
        "Language / Язык",
        list(LANGUAGES),
        format_func=str.upper,
        default=settings.language,
        required=True,
        label_visibility="collapsed",
        key="lang",
        bind="query-params",
        persist_state="session",
    )
    return str(chosen)


main()
