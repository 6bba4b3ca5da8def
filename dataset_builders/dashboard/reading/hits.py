"""Hits of a search: a page of them with highlighted words, and one of them in its dialogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.chat import show_chat
from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.reading.marking import IDS, decisions_of, show_marks
from dataset_builders.dashboard.search.full_text import Terms, page_of

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

SIZE = 20
"""Hits on a page."""

BEFORE = 4
"""Turns above a hit that are shown with it; earlier ones are folded."""

_PAGE = "hits-page"
"""Number of the page of the list."""

HIT = "hit"
"""Name of the open hit in the address: its number from 1."""

QUALITY = {
    "score": "search.score",
    "length": "search.length",
    "cleanness": "search.cleanness",
    "novelty": "search.novelty",
    "relatedness": "search.relatedness",
}
"""Text of each part of the quality of a pair."""

_TURNS = """
SELECT COLUMNS(lambda name: name IN ('turn_index', 'speaker', 'speaker_id', 'text', 'annotations'))
FROM turns WHERE dialogue_id = ? ORDER BY turn_index
"""

_MARK = "background:#F0E44288;border-radius:.2rem;padding:0 .1rem"

_ROW = "overflow-wrap:anywhere"


def marked_html(text: str, terms: Terms) -> str:
    """HTML of a text in which the matches are highlighted; everything in the text is escaped."""
    return "".join(
        f'<mark style="{_MARK};color:inherit">{escape(piece)}</mark>' if is_match else escape(piece)
        for piece, is_match in terms.pieces(text)
    ).replace("\n", "<br>")


def show_hits(page: Page, kind: str, hits: Sequence[Mapping[str, Any]], terms: Terms, search: object) -> None:
    """Show the open hit, if there is one, or else a page of hits.

    Args:
        page: The page.
        kind: `"dialogues"`, `"pairs"` or `"downstream"`.
        hits: All hits that can be opened, in order.
        terms: What to highlight.
        search: What the hits are of; another search begins with its list.
    """
    previous, st.session_state["hits-of"] = st.session_state.get("hits-of"), search
    if previous is not None and previous != search:
        st.query_params.pop(HIT, None)
        st.session_state.pop(_PAGE, None)
    opened = st.query_params.get(HIT, "")
    number = int(opened) if opened.isascii() and opened.isdecimal() else 0
    if 1 <= number <= len(hits):
        _show_hit(page, kind, hits, number, terms)
    else:
        _show_list(page, kind, hits, terms)


def _open(number: int) -> None:
    st.query_params[HIT] = str(number)


def _show_list(page: Page, kind: str, hits: Sequence[Mapping[str, Any]], terms: Terms) -> None:
    marked = decisions_of(page).by_id(kind)
    _, shown = page_of(len(hits), int(st.session_state.get(_PAGE, 1)), SIZE)
    for place in shown:
        hit = hits[place]
        decided = marked.get(hit[IDS[kind]])
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", key=f"hit-{place}"):
            st.html(f'<div style="{_ROW}">{_line(page, kind, hit, terms)}{" ✓" if decided else ""}</div>')
            st.button(
                page.texts("search.open"),
                key=f"open-{place}",
                icon=":material/chat:",
                type="tertiary",
                on_click=_open,
                args=(place + 1,),
            )
    if len(hits) > SIZE:
        st.pagination(-(-len(hits) // SIZE), key=_PAGE)


def _line(page: Page, kind: str, hit: Mapping[str, Any], terms: Terms) -> str:
    """HTML of a hit in the list."""
    t = page.texts
    facts = [hit["source"], hit["split"], hit["language"]]
    if kind == "dialogues":
        body = f"<b>{escape(t('speaker.' + hit['speaker']))}:</b> {marked_html(hit['text'], terms)}"
        facts.append(f"{hit['dialogue_id']} · {hit['turn_index']}")
    elif kind == "pairs":
        body = (
            f"<b>{escape(t('speaker.' + hit['anchor_speaker']))}:</b> {marked_html(hit['anchor'], terms)}<br>"
            f"<b>{escape(t('speaker.' + hit['positive_speaker']))}:</b> {marked_html(hit['positive'], terms)}"
        )
        facts += [_quality(page, hit), *hit["flags"]]
    else:
        body = f"{marked_html(hit['utterance'], terms)} <b>{escape(hit['label'])}</b>"
        facts += [hit["utterance_id"], *hit["flags"]]
    if "cosine" in hit:
        facts.insert(0, t.number(hit["cosine"], 3))
        if hit["times"] > 1:
            facts.append(f"×{t.number(hit['times'])}")
    return f"{body}<br><small>{escape(' · '.join(filter(None, facts)))}</small>"


def _quality(page: Page, hit: Mapping[str, Any]) -> str:
    score = (hit["quality"] or {}).get("score")
    return f"{page.texts(QUALITY['score'])} {page.texts.number(score, 2)}"


def _show_hit(page: Page, kind: str, hits: Sequence[Mapping[str, Any]], number: int, terms: Terms) -> None:
    t, hit = page.texts, hits[number - 1]
    with st.container(horizontal=True, vertical_alignment="center", key="steps"):
        for name, icon, key, target in (
            ("search.previous", ":material/arrow_back:", "Left", number - 1),
            ("search.next", ":material/arrow_forward:", "Right", number + 1),
        ):
            st.button(
                t(name),
                key=name,
                icon=icon,
                shortcut=key,
                disabled=not 1 <= target <= len(hits),
                on_click=_open,
                args=(target,),
            )
        st.button(
            t("search.close"),
            icon=":material/close:",
            shortcut="Esc",
            type="tertiary",
            on_click=_close_one,
            args=(number,),
        )
        st.caption(t("search.hit", n=number, all=len(hits)))
    show_marks(page, kind, hit)
    if kind == "downstream":
        st.html(_line(page, kind, hit, terms))
        return
    if kind == "pairs":
        parts = hit["quality"] or {}
        page.figures({t(key): t.number(parts.get(name), 2) for name, key in QUALITY.items()})
        if hit["flags"]:
            st.caption(t("explorer.flags", flags=plain(", ".join(hit["flags"]))))
    if not isinstance(hit["dialogue_id"], str):  # two utterances of the same intent
        st.html(_line(page, kind, hit, terms))
        return
    st.caption(plain(" · ".join([hit["dialogue_id"], hit["source"], hit["split"], hit["language"]])))
    turns = page.store.only(None).rows(_TURNS, [hit["dialogue_id"]])
    _show_chat(page, turns, int(hit["turn_index"]), kind == "pairs", terms)


def _close_one(number: int) -> None:
    """Return to the page of the list with this hit."""
    st.query_params.pop(HIT, None)
    st.session_state[_PAGE] = (number - 1) // SIZE + 1


def _show_chat(page: Page, turns: list[dict[str, Any]], place: int, is_pair: bool, terms: Terms) -> None:
    hits = {place, place + 1} if is_pair else {place}
    for turn in turns:
        if turn["turn_index"] in hits:
            spans = [
                {"start": a, "end": b, "slot": page.texts("search.match"), "domain": None}
                for a, b in terms.spans(turn["text"])
            ]
            turn["annotations"] = {**(turn.get("annotations") or {}), "slots": spans}
    first = max(0, place - BEFORE)
    if first:
        with st.expander(page.texts("search.earlier", n=first)):
            show_chat(turns[:first], page.texts)
    show_chat(turns[first:], page.texts, place)
