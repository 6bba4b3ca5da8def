"""The page, a Streamlit script that `dialogue-cube dashboard` runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import streamlit as st

from dataset_builders.dashboard import sidebar
from dataset_builders.dashboard.choices import remember, remembered, switch
from dataset_builders.dashboard.page import Page, plain
from dataset_builders.dashboard.reading.opened import show_opened
from dataset_builders.dashboard.settings import Settings
from dataset_builders.dashboard.store import Store
from dataset_builders.dashboard.style import STYLE
from dataset_builders.dashboard.tabs.all import TABS
from dataset_builders.dashboard.texts import LANGUAGES, Texts, load_texts
from dataset_builders.dashboard.turns import TURNS

LOG = logging.getLogger(__name__)

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#56B4E9" d="M12 2 21 7 12 12 3 7z"/>'
    '<path fill="#0072B2" d="M3 7v10l9 5V12z"/><path fill="#E69F00" d="M21 7v10l-9 5V12z"/></svg>'
)


# the folder in a path of this machine, which is no visitor's business; Streamlit would draw a string here
_PLACE = re.compile(r"(?<![\w:/.])/(?:[^/\s:]+/)+")


def main() -> None:
    """Draw the page for a visitor."""
    st.set_page_config("Dialogue Cube", ICON, layout="wide")
    st.html(STYLE)
    with TURNS.taken():
        guarded(load_texts("en"), lambda: _page(Settings.read()))


def _page(settings: Settings) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        heading = st.empty()
        texts = load_texts(_language(settings))
    heading.subheader(texts("page.title"), anchor=False)
    guarded(texts, lambda: _body(settings, texts))


def _body(settings: Settings, texts: Texts) -> None:
    store = Store.at(settings.database)
    filters = sidebar.choose(store, texts)
    page = Page(store.only(filters.metadata), filters, texts, settings)
    _tabs(page)
    show_opened(page)
    sidebar.about(store, texts)


def _tabs(page: Page) -> None:
    """Draw the open tab only. The address holds its name, which does not depend on the language."""
    texts = page.texts
    labels = {texts(f"tab.{name}"): name for name in TABS}
    key = f"tabs-{texts.language}"
    in_address = remembered("tab")
    start = next((label for label, name in labels.items() if name == in_address), None)

    def update_address() -> None:
        remember("tab", labels[st.session_state[key]])

    tabs = st.tabs(list(labels), key=key, default=start, on_change=update_address)
    for tab, name in zip(tabs, TABS, strict=True):
        if tab.open:
            with tab:
                guarded(texts, lambda name=name: TABS[name](page))  # type: ignore[misc]


def guarded(texts: Texts, draw: Callable[[], None]) -> None:
    """Draw; show an error as one line on the page, and its traceback in the log of the command."""
    try:
        draw()
    except Exception as error:  # plug-ins raise their own errors
        LOG.exception("the page could not be drawn")
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        st.error(texts("page.error", error=plain(_PLACE.sub("", first))), icon=":material/error:")


def _language(settings: Settings) -> str:
    """The language of the page, from its switch or the address."""
    return switch("lang", LANGUAGES, "Language / Язык", first=settings.language, label_visibility="collapsed")


main()
