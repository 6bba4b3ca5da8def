"""Tab Explorer: search rows, read a dialogue, and find utterances with a similar meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.chat import show_chat
from dataset_builders.dashboard.choices import switch
from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.search import explorer as searching
from dataset_builders.dashboard.search.neighbours import show_neighbours

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

NAMES = "SELECT name FROM domain_counts {where} GROUP BY name ORDER BY name"

LABELS = "SELECT DISTINCT unnest(labels) AS label FROM label_counts {where} ORDER BY label"

LONGEST_DIALOGUE = "SELECT coalesce(max(value), 0) AS value FROM dialogue_histograms {where}"

LONGEST_UTTERANCE = "SELECT coalesce(max(value), 0) AS value FROM downstream_histograms {where}"

DIALOGUE = """
SELECT dialogue_id, source, split, language, domains, intents, scenario, turn_count, flags, license, cluster_id
FROM dialogs WHERE dialogue_id = ?
"""

TURNS = """
SELECT COLUMNS(lambda name: name IN ('turn_index', 'speaker', 'speaker_id', 'text', 'annotations'))
FROM turns WHERE dialogue_id = ? ORDER BY turn_index
"""
"""A database of an older version has no `speaker_id`."""

_OPENED = "dialogue"
"""Name of the open dialogue in the address."""


def show(page: Page) -> None:
    """Draw the tab."""
    t = page.texts
    kind = switch("kind", {kind: t(f"config.{kind}") for kind in ("dialogues", "downstream")}, t("explorer.what"))
    text = st.text_input(
        t("explorer.text"),
        key="text",
        placeholder=t("explorer.text_hint"),
        icon=":material/search:",
        bind="query-params",
        persist_state="session",
    )
    page.let_draw()
    utterances = _dialogues(page, text) if kind == "dialogues" else _utterances(page, text)
    show_neighbours(page, utterances)


def _dialogues(page: Page, text: str) -> list[str]:
    """Search dialogues and show one; returns its utterances."""
    t = page.texts
    left, middle, right = st.columns(3)
    with left:
        domains = _several(page, "domain", page.ask(NAMES, "kind = 'domain'")["name"].tolist())
    with middle:
        intents = _several(page, "intent", page.ask(NAMES, "kind = 'intent'")["name"].tolist())
    with right:
        turns = _range(page, "turns", page.ask(LONGEST_DIALOGUE, "measure = 'turns'").iat[0, 0])
    query = searching.dialogues(page.filters, text, domains, intents, turns)
    columns = {"text": "", "turn_count": "localized", "domains": "", "source": "", "split": "", "dialogue_id": ""}
    selected = _results(page, query, columns, selectable=True)
    if selected is not None:
        st.session_state[_OPENED] = selected["dialogue_id"]
    dialogue_id = st.text_input(
        t("explorer.dialogue_id"),
        key=_OPENED,
        help=t("explorer.dialogue_help"),
        bind="query-params",
        persist_state="session",
    )
    if dialogue_id:
        return _show_dialogue(page, dialogue_id.strip(), text)
    st.caption(t("explorer.choose"))
    return []


def _utterances(page: Page, text: str) -> list[str]:
    """Search labelled utterances; returns the results."""
    left, right = st.columns(2)
    with left:
        labels = _several(page, "label", page.ask(LABELS)["label"].tolist())
    with right:
        words = _range(page, "words", page.ask(LONGEST_UTTERANCE, "measure = 'words'").iat[0, 0])
    columns = {"utterance": "", "label": "", "scenario": "", "words": "localized"}
    more = dict.fromkeys(("source", "split", "language", "utterance_id"), "")
    query = searching.utterances(page.filters, text, labels, words)
    _results(page, query, {**columns, **more})
    return page.store.frame(query.first, query.parameters)["utterance"].tolist()


def _several(page: Page, name: str, options: list[str]) -> tuple[str, ...]:
    """Show a choice of several names, which the address includes."""
    names = st.multiselect(
        page.texts(f"column.{name}"),
        options,
        key=name,
        placeholder=page.texts("filter.all"),
        bind="query-params",
        persist_state="session",
    )
    return tuple(names)


def _range(page: Page, name: str, longest: int) -> tuple[int, int] | None:
    """Show a choice of minimum and maximum length; None for the whole range, or if there is only one length."""
    if longest < 2:
        return None
    whole = (1, int(longest))  # Streamlit accepts no numpy integers
    title, key = page.texts(f"explorer.{name}"), f"range-{name}-{longest}"
    limits = st.slider(title, *whole, value=whole, key=key, bind="query-params", persist_state="session")
    return None if limits == whole else limits


def _results(
    page: Page, query: searching.Query, columns: dict[str, str], *, selectable: bool = False
) -> dict[str, Any] | None:
    """Show the results; returns a row once after a click on it, otherwise None."""
    t = page.texts
    number = int(page.store.value(query.count, query.parameters))
    if not number:
        page.nothing("explorer.none")
        return None
    first = page.store.frame(query.first, query.parameters)
    options: dict[str, Any] = {}
    if selectable:
        options = {"on_select": "rerun", "selection_mode": "single-row", "key": f"found-{hash(query)}"}
    state = page.table(
        t("explorer.found", n=len(first), all=number),
        first,
        columns,
        every=(query.sql, query.parameters),
        height=min(38 + 35 * len(first), 320),
        **options,
    )
    rows = state.selection.rows if selectable else []
    click = (query, rows[0]) if rows else None
    previous, st.session_state["clicked"] = st.session_state.get("clicked"), click
    return first.iloc[rows[0]].to_dict() if rows and click != previous else None


def _show_dialogue(page: Page, dialogue_id: str, text: str) -> list[str]:
    """Show a dialogue as a chat; returns its utterances."""
    t = page.texts
    everything = page.store.only(None)  # an address opens any dialogue
    dialogues = everything.rows(DIALOGUE, [dialogue_id])
    if not dialogues:
        page.nothing("explorer.no_dialogue", id=dialogue_id)
        return []
    facts, turns = dialogues[0], everything.rows(TURNS, [dialogue_id])
    st.subheader(plain(facts["dialogue_id"]), anchor=False)
    parts = [facts["source"], facts["split"], facts["language"], facts["license"], *facts["domains"]]
    st.caption(" · ".join(plain(part) for part in parts if part))
    if facts["scenario"]:
        with st.expander(t("explorer.scenario")):
            st.text(facts["scenario"])
    if facts["flags"]:
        st.caption(t("explorer.flags", flags=plain(", ".join(facts["flags"]))))
    part = text.strip().lower()
    marked = next((turn["turn_index"] for turn in turns if part and part in turn["text"].lower()), None)
    with st.container(border=True, height=560, autoscroll=False):
        show_chat(turns, t, marked)
    return [turn["text"] for turn in turns]
