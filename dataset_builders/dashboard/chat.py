"""A dialogue as a chat, with the annotations of each turn."""

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
        turns: Turns with `turn_index`, `speaker`, `text`, and `annotations` as in `schema.ANNOTATIONS`; with
            `speaker_id` if there are more than two speakers.
        texts: Texts in the language of the visitor.
        marked: Index of a turn to mark.
    """
    state: list[str] = []
    for turn in turns:
        speaker = turn["speaker"]
        annotations = turn.get("annotations") or {}
        with st.chat_message(speaker, avatar=_AVATARS.get(speaker)):
            mark = " ◀" if turn["turn_index"] == marked else ""
            who = " ".join(filter(None, (texts(f"speaker.{speaker}"), turn.get("speaker_id"))))
            heading = f"<small>{turn['turn_index']} · {escape(who)}{mark}</small>"
            st.html(f"{heading}<br>{with_slots(turn['text'], annotations.get('slots') or ())}{_badges(annotations)}")
            new = [_state(entry) for entry in annotations.get("state") or ()]
            if new and new != state:
                with st.expander(texts("explorer.state", n=len(new))):
                    st.html("<br>".join(map(escape, new)))
                state = new


def with_slots(text: str, slots: Sequence[Mapping[str, Any]]) -> str:
    """HTML of a turn with highlighted slot values; hovering over a value shows the slot's name.

    Args:
        text: Text of the turn; it is escaped.
        slots: Slots with `start` and `end` (exclusive, in characters), `slot` and `domain`. Slots without a position
            are skipped, and so are those that overlap an earlier one.
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


def _badges(annotations: Mapping[str, Any]) -> str:
    """HTML of the dialogue acts, and of the slots without a position."""
    acts = [_act(act) for act in annotations.get("acts") or ()]
    slots = [f"{s['slot']} = {s['value']}" for s in annotations.get("slots") or () if s["start"] is None]
    badges = "".join(f'<span style="{_BADGE}">{escape(text)}</span>' for text in dict.fromkeys([*acts, *slots]))
    row = "display:flex;flex-wrap:wrap;gap:.3rem;margin-top:.3rem"
    return f'<div style="{row}">{badges}</div>' if badges else ""


def _act(act: Mapping[str, Any]) -> str:
    """An act as text, such as `INFORM hotel-area = north`."""
    where = "-".join(filter(None, (act["domain"], act["slot"])))
    values = ", ".join(act["values"] or ())
    return " ".join(filter(None, (act["act"], where))) + (f" = {values}" if values else "")


def _state(entry: Mapping[str, Any]) -> str:
    """An entry of a state as text, such as `hotel: find_hotel, area = north`."""
    goal = ", ".join(filter(None, (entry["intent"], entry["slot"])))
    values = ", ".join(entry["values"] or ())
    return ": ".join(filter(None, (entry["domain"], goal))) + (f" = {values}" if values else "")
