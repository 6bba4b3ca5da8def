"""Search utterances with a similar meaning, by the embeddings of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dataset_builders.pairs.encoder import load_encoder

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page
    from dataset_builders.pairs.encoder import Encoder

TEXTS = """
SELECT text, any_value(source ORDER BY id) AS source, any_value(split ORDER BY id) AS split, min(id) AS id
FROM (
    SELECT text, source, split, language, dialogue_id AS id FROM turns
    UNION ALL
    SELECT utterance, source, split, language, utterance_id FROM downstream
) {where}
GROUP BY text ORDER BY hash(text), text LIMIT {most}
"""
"""Distinct utterances that match the filters: an arbitrary but deterministic sample."""

_AT_ONCE = 256

_SIZES = (1000, 5000, 20000)

_SHARED = "near"
"""Name of the utterance in the address."""


def show_neighbours(page: Page, utterances: Sequence[str]) -> None:
    """Show a form for an utterance, and its nearest neighbours.

    Args:
        page: The page.
        utterances: Suggested utterances; the visitor can enter any other.
    """
    t = page.texts
    st.subheader(t("neighbours.title"), anchor=False)
    shared = st.query_params.get(_SHARED, "")
    with st.form("neighbours", border=False):
        text = st.selectbox(
            t("neighbours.text"),
            list(dict.fromkeys([*([shared] if shared else []), *utterances])),
            index=0 if shared else None,
            placeholder=t("neighbours.hint"),
            accept_new_options=True,
            key="neighbours-text",
        )
        size = st.select_slider(t("neighbours.size"), _SIZES, value=_SIZES[0], format_func=t.number)
        if st.form_submit_button(t("neighbours.find"), icon=":material/hub:"):
            st.session_state["neighbours-of"] = (text or "").strip(), size, page.filters
            st.query_params[_SHARED] = (text or "").strip()
    submitted = st.session_state.get("neighbours-of")
    if submitted is None or submitted[2] != page.filters:
        st.caption(t("neighbours.note", teacher=page.settings.teacher))
        return
    text, size, _ = submitted
    if not text:
        page.nothing("neighbours.empty")
        return
    where, parameters = page.filters.where()
    texts = page.store.frame(TEXTS.format(where=where, most=size), parameters)
    if texts.empty:
        page.nothing("explorer.none")
        return
    neighbours = nearest(page, text, texts)
    columns = {"cosine": "%.3f", **dict.fromkeys(("text", "source", "split", "id"), "")}
    page.table(t("neighbours.nearest", text=text, n=len(neighbours), all=len(texts)), neighbours, columns)


def nearest(page: Page, text: str, texts: pd.DataFrame, most: int = 20) -> pd.DataFrame:
    """The `most` rows of `texts` with the largest cosine to a text, best first.

    Raises:
        DataError: The teacher is unknown.
    """
    with st.spinner(page.texts("neighbours.loading", teacher=page.settings.teacher)):
        encoder = teacher(page.settings.teacher)
    question = encoder.encode([text])[0]
    cosines, every = [], texts["text"].tolist()
    bar = st.progress(0.0, page.texts("neighbours.encoding", n=len(every)))
    for start in range(0, len(every), _AT_ONCE):  # the encoder caches embeddings on disk
        cosines.append(encoder.encode(every[start : start + _AT_ONCE]) @ question)
        bar.progress(min(1.0, (start + _AT_ONCE) / len(every)), page.texts("neighbours.encoding", n=len(every)))
    bar.empty()
    return texts.assign(cosine=np.concatenate(cosines)).nlargest(most, "cosine")


@st.cache_resource(max_entries=1, show_spinner=False)
def teacher(name: str) -> Encoder:
    """The encoder with this name, loaded once."""
    return load_encoder(name)
