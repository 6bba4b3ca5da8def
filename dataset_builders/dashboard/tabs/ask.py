"""Tab Ask: replies of an assistant with their confidence, intents, and thumbs for those who may mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.choices import one_of
from dataset_builders.dashboard.cores import Cores, OpenAssistant, cores_for
from dataset_builders.dashboard.guard import has_token
from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.reading.marking import note_of_thumbs, show_thumbs

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

ANSWERS = 5
"""Maximum number of answers."""

_BOX = "ask"
"""Name of the question in the session and in the address."""

_ASKED = "ask-asked"
"""The question that the visitor has asked. One from an address alone is shown and not asked."""


def show(page: Page) -> None:
    """Draw the tab."""
    t, folders = page.texts, page.settings.assistants
    cores = cores_for(page, folders, "ask.none")
    if cores is None:
        return
    if not has_token(page.settings.token, st.query_params.get("token", "")):
        page.nothing("ask.no_token")
        return
    folder = one_of("assistant", folders, t("ask.choose"))
    with st.form("ask-form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        question = st.text_input(
            t("ask.question"), placeholder=t("ask.hint"), key=_BOX, bind="query-params", persist_state="session"
        )
        if st.form_submit_button(t("ask.button"), icon=":material/send:"):
            st.session_state[_ASKED] = folder, question.strip()
    page.let_draw()
    asked = st.session_state.get(_ASKED)
    if asked is None or asked[0] != folder or not asked[1]:
        st.caption(t("ask.note"))
        return
    with st.spinner(t("model.loading", core=plain(Path(folder).name))):
        assistant = opened(cores, folder)
    _reply(page, assistant, asked[1])
    _intent(page, assistant, asked[1])
    _facts(page, assistant)


def _reply(page: Page, assistant: OpenAssistant, question: str) -> None:
    """Show the best answer, or that there is none with the nearest topics; then the other answers."""
    t, reply = page.texts, assistant.reply(question, ANSWERS)
    answers = reply["answers"]
    st.chat_message("user", avatar=":material/person:").text(question)
    with st.chat_message("assistant", avatar=":material/support_agent:"):
        if reply["is_known"]:
            _answer(page, question, answers[0])
        else:
            unknown = t("ask.unknown")
            st.markdown(f"**{unknown}**")
            st.caption(t("ask.unknown_note", confidence=t.percent(reply["confidence"], 0)))
            if reply["topics"]:
                st.caption(t("ask.topics", topics=_topics(page, reply["topics"])))
    others = answers[1:] if reply["is_known"] else answers
    if others:
        title = t("ask.others" if reply["is_known"] else "ask.unsure", n=len(others))
        with st.expander(title, expanded=not reply["is_known"]):
            for answer in others:
                with st.container(border=True):
                    _answer(page, question, answer)
    note_of_thumbs(page)


def _topics(page: Page, topics: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{plain(topic['name'])} ({page.texts.number(topic['similarity'], 2)})" for topic in topics)


def _answer(page: Page, question: str, answer: Mapping[str, Any]) -> None:
    """Show an answer with what it rests on, and the thumbs."""
    t = page.texts
    st.text(answer["text"])
    facts = [
        t("ask.confidence", confidence=t.percent(answer["confidence"], 0)),
        t("ask.licence", license=plain(answer["license"] or t("licences.unknown"))),
        t("ask.source", source=plain(answer["source"])),
    ]
    if answer["similar"]:
        facts.append(t("ask.similar", n=answer["similar"]))
    matched = t("ask.matched", question=plain(answer["question"]))
    st.caption(f"{matched}  \n{' · '.join(facts)}")
    show_thumbs(page, question, answer["id"], answer["text"])


def _intent(page: Page, assistant: OpenAssistant, question: str) -> None:
    """Show the intents of the question, if the assistant knows any."""
    if not assistant.facts["intents"]:
        return
    t, intent = page.texts, assistant.intent(question)
    st.subheader(t("ask.intent"), anchor=False)
    ranked = list(intent["alternatives"])
    if intent["label"] is None:
        st.caption(t("ask.out_of_scope"))
    else:
        ranked.insert(0, (intent["label"], intent["probability"]))
    for label, probability in ranked[:ANSWERS]:
        text = f"{plain(label)} · {t.percent(probability, 0)}"
        st.progress(min(max(float(probability), 0.0), 1.0), text)


def _facts(page: Page, assistant: OpenAssistant) -> None:
    """Show what the assistant answers from, and what its confidence promises."""
    t, facts = page.texts, assistant.facts
    shown = t(
        "ask.facts", n=facts["answers"], encoder=plain(facts["encoder"]), threshold=t.percent(facts["threshold"], 0)
    )
    promise = t("ask.promise", share=t.percent(facts["refused"], 0)) if facts["refused"] else t("ask.no_promise")
    st.caption(" ".join([shown, promise, t("ask.unfiltered")]))


@st.cache_resource(max_entries=2, show_spinner=False)
def opened(_cores: Cores, folder: str) -> OpenAssistant:
    """The assistant in a folder, loaded once; it reloads answers that are added later."""
    return _cores.assistant(Path(folder))
