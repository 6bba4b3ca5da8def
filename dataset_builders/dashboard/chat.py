"""One dialogue as a chat, with what the source noted about each turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.charts import BLUE, YELLOW

if TYPE_CHECKING:
    from dataset_builders.dashboard.texts import Texts

_AVATARS = {"user": ":material/person:", "system": ":material/support_agent:"}

_MARK = f"background:{YELLOW}88;border-radius:.25rem;padding:0 .15rem"
_BADGE = f"border:1px solid {BLUE};border-radius:.5rem;padding:0 .4rem;font-size:.8rem;overflow-wrap:anywhere"


def show_chat(turns: Iterable[Mapping[str, Any]], texts: Texts, marked: int | None = None) -> None:
    """Draw all turns.

    Args:
        turns: `turn_index`, `speaker`, `text`, and `annotations` as in `schema.ANNOTATIONS`.
        texts: Of the visitor's language.
        marked: Index of a turn to point at.
    """
    state: list[str] = []
    for turn in turns:
        speaker = turn["speaker"]
        notes = turn.get("annotations") or {}
        with st.chat_message(speaker, avatar=_AVATARS.get(speaker)):
            point = " ◀" if turn["turn_index"] == marked else ""
            heading = f"<small>{turn['turn_index']} · {escape(texts(f'speaker.{speaker}'))}{point}</small>"
            st.html(f"{heading}<br>{with_slots(turn['text'], notes.get('slots') or ())}{_badges(notes)}")
            new = [_state(entry) for entry in notes.get("state") or ()]
            if new and new != state:
                with st.expander(texts("explorer.state", n=len(new))):
                    st.html("<br>".join(map(escape, new)))
                state = new


def with_slots(text: str, slots: Sequence[Mapping[str, Any]]) -> str:
    """HTML of a turn with the values of its slots marked; a slot's name is shown when it is pointed at.

    Args:
        text: Any text: it is quoted.
        slots: `start` and `end` (half-open, in characters), `slot`, `domain`; those without a place are left out, and
            of overlapping ones the first is shown.
    """
    parts, done = [], 0
    placed = (slot for slot in slots if slot["start"] is not None and slot["end"] is not None)
    for slot in sorted(placed, key=lambda slot: (slot["start"], -slot["end"])):
        start, end = slot["start"], slot["end"]
        if done <= start < end <= len(text):
            name = escape("-".join(filter(None, (slot["domain"], slot["slot"]))), quote=True)
            parts += [
                escape(text[done:start]),
                f'<span style="{_MARK}" title="{name}">{escape(text[start:end])}</span>',
            ]
            done = end
    return "".join([*parts, escape(text[done:])]).replace("\n", "<br>")


def _badges(notes: Mapping[str, Any]) -> str:
    """The dialogue acts, and slots without a place."""
    acts = [_act(act) for act in notes.get("acts") or ()]
    slots = [f"{s['slot']} = {s['value']}" for s in notes.get("slots") or () if s["start"] is None]
    shown = "".join(f'<span style="{_BADGE}">{escape(text)}</span>' for text in dict.fromkeys([*acts, *slots]))
    row = "display:flex;flex-wrap:wrap;gap:.3rem;margin-top:.3rem"
    return f'<div style="{row}">{shown}</div>' if shown else ""


def _act(act: Mapping[str, Any]) -> str:
    """`INFORM hotel-area = north`."""
    where = "-".join(filter(None, (act["domain"], act["slot"])))
    values = ", ".join(act["values"] or ())
    return " ".join(filter(None, (act["act"], where))) + (f" = {values}" if values else "")


def _state(entry: Mapping[str, Any]) -> str:
    """`hotel: find_hotel, area = north`."""
    goal = ", ".join(filter(None, (entry["intent"], entry["slot"])))
    values = ", ".join(entry["values"] or ())
    return ": ".join(filter(None, (entry["domain"], goal))) + (f" = {values}" if values else "")
