"""Mark rows and answers: decisions of a visitor, appended to the file that `dialogue-cube build --decisions` obeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.common.decisions import (
    WITHDRAWN,
    ReplyJudgement,
    RowDecision,
    RowDecisions,
    append_decisions,
    read_decisions,
    read_judgements,
    text_digest,
)
from dataset_builders.dashboard.guard import has_token
from dataset_builders.dashboard.page import plain

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

_LABELS = """
SELECT DISTINCT unnest(labels) AS label FROM label_counts WHERE source = ? ORDER BY label
"""

_TURNS = "SELECT text FROM turns WHERE dialogue_id = ? ORDER BY turn_index"

IDS = {"dialogues": "dialogue_id", "pairs": "pair_id", "downstream": "utterance_id"}
"""Column with the id of a row, by config."""

_NAMES = {
    "wrong_label": "mark.wrong_label",
    "bad_pair": "mark.bad_pair",
    "bad_dialogue": "mark.bad_dialogue",
    "personal_data": "mark.personal_data",
    "keep": "mark.keep",
    WITHDRAWN: "mark.withdrawn",
}

_KEYS = {"wrong_label": "W", "bad_pair": "B", "bad_dialogue": "B", "personal_data": "P", "keep": "K", WITHDRAWN: "U"}
"""Keys of the buttons; Streamlit reserves C and R."""

_BUTTONS: dict[str, Sequence[str]] = {
    "dialogues": ("bad_dialogue", "personal_data", "keep"),
    "pairs": ("bad_pair", "personal_data", "keep"),
    "downstream": ("wrong_label", "personal_data", "keep"),
}


def can_mark(page: Page) -> bool:
    """Whether this visitor may mark rows: only with `--annotate`, and on a public page only with its link."""
    settings = page.settings
    return bool(settings.decisions) and has_token(settings.token, st.query_params.get("token", ""))


def decisions_of(page: Page) -> RowDecisions:
    """The decisions so far; none for a visitor who may not mark rows.

    Raises:
        DataError: The file cannot be read.
    """
    return _read(*_file_of(page))[0]


def _file_of(page: Page) -> tuple[str, tuple[int, int, int]]:
    """The file of decisions and its state; an empty name for a visitor who may not mark, or if there is none yet."""
    path = Path(page.settings.decisions)
    if not can_mark(page) or not path.exists():
        return "", (0, 0, 0)
    stat = path.stat()
    return str(path), (stat.st_ino, stat.st_size, stat.st_mtime_ns)


@st.cache_data(max_entries=2, show_spinner=False)
def _read(path: str, state: tuple[int, int, int]) -> tuple[RowDecisions, dict[tuple[str, str], str]]:
    if not path:
        return RowDecisions(), {}
    judgements = {judgement.key: judgement.decision for judgement in read_judgements(Path(path))}
    return read_decisions(Path(path)), judgements


_THUMBS = ("wrong_answer", "right_answer")
"""Decision by the value of Streamlit's thumbs: 0 is down, 1 is up."""


def show_thumbs(page: Page, question: str, answer_id: str, text: str) -> None:
    """Show the thumbs with which a visitor judges an answer of an assistant.

    Args:
        page: The page.
        question: The question.
        answer_id: Id of the entry of the assistant.
        text: The answer.
    """
    if not can_mark(page):
        return
    current = _read(*_file_of(page))[1].get((question, answer_id), "")
    # a new key, and so a new widget, after each change of the file, also by another visitor
    key = f"thumbs-{answer_id}-{hash(question)}-{current}"
    st.feedback(
        "thumbs",
        default=_THUMBS.index(current) if current else None,
        key=key,
        on_change=_judge,
        args=(page, question, answer_id, text, key),
    )


def note_of_thumbs(page: Page) -> None:
    """Say where the thumbs go."""
    if can_mark(page):
        st.caption(page.texts("ask.thumbs", file=plain(Path(page.settings.decisions).name)))


def _judge(page: Page, question: str, answer_id: str, text: str, key: str) -> None:
    value = st.session_state[key]
    decision = WITHDRAWN if value is None else _THUMBS[value]
    judgement = ReplyJudgement(question, answer_id, decision, text_digest(text), at=_now())
    append_decisions(Path(page.settings.decisions), [judgement])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def show_marks(page: Page, kind: str, row: Mapping[str, Any], place: str = "") -> None:
    """Show the decision about a row, and the buttons to decide.

    Args:
        page: The page.
        kind: Config of the row.
        row: The row.
        place: Where they are, if not in the tab: buttons of a window are not reached by keys.
    """
    if not can_mark(page):
        return
    t, row_id = page.texts, row[IDS[kind]]
    current = decisions_of(page).by_id(kind).get(row_id)
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{place}marks"):
        label = None
        if kind == "downstream":
            names = page.store.only(None).frame(_LABELS, [row["source"]])["label"].tolist()
            label = st.selectbox(
                t("mark.label"), names, index=None, placeholder=t("mark.leave_out"), key=f"{place}label-{row_id}"
            )
        for decision in (*_BUTTONS[kind], WITHDRAWN):
            _button(page, decision, current, place, _mark, page, kind, dict(row), decision, label)
    _show_decision(page, current)
    note = t("mark.note", file=plain(Path(page.settings.decisions).name))
    st.caption(" ".join([note, t("mark.pair_note")]) if kind == "pairs" else note)


def show_rescue(page: Page, row: Mapping[str, Any]) -> None:
    """Show the buttons that bring a dropped row back in the next build, if anybody may decide that.

    Args:
        page: The page.
        row: The record of the row, with `config`, `row_id` and `filter`.
    """
    if not can_mark(page):
        return
    from dataset_builders.quality.filters import FILTERS

    t, config, row_id = page.texts, str(row["config"]), str(row["row_id"])
    check = FILTERS.get(str(row["filter"]))
    if row["filter"] != "decision" and not (check and check.is_overruled):
        st.caption(t("mark.no_rescue"))
        return
    current = decisions_of(page).by_id(config).get(row_id)
    with st.container(horizontal=True, key="rescue-marks"):
        for decision in ("keep", WITHDRAWN):
            _button(
                page, decision, current, "rescue-", _append, page, [RowDecision(config, row_id, decision, at=_now())]
            )
    _show_decision(page, current)
    st.caption(t("mark.rescue"))


def _button(page: Page, decision: str, current: RowDecision | None, place: str, click: Any, *arguments: Any) -> None:
    st.button(
        page.texts(_NAMES[decision]),
        key=f"{place}mark-{decision}",
        shortcut=None if place else _KEYS[decision],
        type="primary" if current and current.decision == decision else "secondary",
        disabled=decision == WITHDRAWN and current is None,
        on_click=click,
        args=arguments,
    )


def _show_decision(page: Page, current: RowDecision | None) -> None:
    if current:
        labels = f": {', '.join(current.labels)}" if current.labels else ""
        what = plain(f"{page.texts(_NAMES[current.decision])}{labels}")
        st.caption(page.texts("mark.marked", what=what))


def _append(page: Page, decisions: Sequence[RowDecision]) -> None:
    append_decisions(Path(page.settings.decisions), decisions)


def _mark(page: Page, kind: str, row: Mapping[str, Any], decision: str, label: str | None) -> None:
    labels = (label,) if label and decision == "wrong_label" else ()
    targets = [(kind, str(row[IDS[kind]]), _digest(page, kind, row))]
    if kind == "pairs" and decision in ("personal_data", WITHDRAWN) and isinstance(row["dialogue_id"], str):
        # the text is also in the dialogue, and in the context of its other pairs
        dialogue = str(row["dialogue_id"])
        if decision == "personal_data" or _was_private(page, dialogue):
            targets.append(("dialogues", dialogue, _digest(page, "dialogues", row)))
    _append(
        page,
        [RowDecision(config, row_id, decision, labels, digest, at=_now()) for config, row_id, digest in targets],
    )


def _was_private(page: Page, dialogue_id: str) -> bool:
    earlier = decisions_of(page).by_id("dialogues").get(dialogue_id)
    return earlier is not None and earlier.decision == "personal_data"


def _digest(page: Page, kind: str, row: Mapping[str, Any]) -> str:
    if kind == "dialogues":
        return text_digest(*page.store.only(None).frame(_TURNS, [row["dialogue_id"]])["text"].tolist())
    return text_digest(row["anchor"], row["positive"]) if kind == "pairs" else text_digest(row["utterance"])
