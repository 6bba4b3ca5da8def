"""Tab Model: leaderboards, learning curves, answers and lattices of trained cores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.choices import choice, one_of, switch
from dataset_builders.dashboard.cores import Cores, OpenCore, find_cores
from dataset_builders.dashboard.filters import COLUMNS
from dataset_builders.dashboard.guard import has_token
from dataset_builders.dashboard.lattice import lattice_picture

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

ANSWERS = """
SELECT
    any_value(positive ORDER BY pair_id) AS answer, any_value(source ORDER BY pair_id) AS source,
    any_value(split ORDER BY pair_id) AS split, min(dialogue_id) AS dialogue_id
FROM pairs {where} GROUP BY answer_id ORDER BY hash(answer_id), answer_id LIMIT {most}
"""
"""Distinct answers of the pairs that match the filters: an arbitrary but deterministic sample."""

_DIFFERENCE_COLUMNS = ["source", "method", "minus", "pairs", "difference", "low", "high"]
_SIZES = (500, 2000, 10000, 50000)


def show(page: Page) -> None:
    """Draw the tab."""
    cores = find_cores()
    if cores is None:
        page.nothing("model.not_installed")
        return
    _leaderboards(page, cores)
    _curves(page, cores)
    _core(page, cores)


def _leaderboards(page: Page, cores: Cores) -> None:
    t = page.texts
    st.subheader(t("model.leaderboard"), anchor=False)
    if not page.settings.leaderboards:
        page.nothing("model.no_leaderboard")
        return
    file = one_of("board", page.settings.leaderboards, t("model.choose_leaderboard"))
    rows = pd.DataFrame(cores.leaderboard(Path(file)))
    if rows.empty:
        page.nothing("model.empty_leaderboard", file=file)
        return
    left, right = st.columns(2)
    with left:
        sources = {str(name): str(name) for name in rows["source"].unique()}
        filtered = next((name for name in sources if name in page.filters.source), None)
        source = choice("tested", sources, t("model.tested_on"), first=filtered)
    rows = rows[rows["source"] == source]
    sizes = {"all" if pd.isna(n) else f"{n:.0f}": n for n in rows["pairs"].unique()}
    labels = {name: t.number(n) for name, n in sizes.items() if not pd.isna(n)} or {"all": t("model.all_pairs")}
    with right:
        size = sizes[choice("trained", labels, t("model.trained_on"), first=list(labels)[-1])]
    methods = rows[(rows["pairs"] == size) | rows["pairs"].isna()].sort_values("accuracy", ascending=False)
    titles = {name: t(f"column.{name}") for name in ("method", "accuracy", "parameters")}
    chart = charts.intervals(methods, "method", "accuracy", "low", "high", titles)
    page.chart(t("model.accuracy_of", source=source), rows, chart, t("model.interval_note"))
    _differences(page, cores, file, source, size)
    columns = {
        "method": "",
        **dict.fromkeys(("pairs", "parameters", "seeds"), "localized"),
        **dict.fromkeys(("accuracy", "low", "high", "mrr", "cosine"), "%.3f"),
        "seconds": "%.1f",
        "microseconds": "%.2f",
    }
    page.table(t("model.leaderboard_table"), methods, columns, phone=("method", "parameters", "accuracy"))


def _differences(page: Page, cores: Cores, file: str, source: str, size: float) -> None:
    """Show the differences of the methods with this number of training pairs, if the leaderboard has any."""
    t = page.texts
    rows = pd.DataFrame(cores.differences(Path(file)), columns=_DIFFERENCE_COLUMNS)
    rows = rows[(rows["source"] == source) & rows["pairs"].isin([size])]
    if rows.empty:
        return
    other = rows["minus"].iat[0]
    titles = {"method": t("column.method"), "difference": t("column.difference", other=other)}
    chart = charts.intervals(rows, "method", "difference", "low", "high", titles, reference=0)
    note = t("model.difference_note", other=other)
    page.chart(t("model.difference", other=other, source=source), rows, chart, note)


def _curves(page: Page, cores: Cores) -> None:
    t = page.texts
    st.subheader(t("model.curves"), anchor=False)
    if not page.settings.cores:
        page.nothing("model.no_core")
        return
    histories = [
        pd.DataFrame(cores.training(Path(folder))).assign(core=Path(folder).name) for folder in page.settings.cores
    ]
    long = pd.concat(histories).melt(["epoch", "core"], var_name="measure", value_name="value").dropna()
    long["value"] = long["value"].astype(float)
    long["series"] = long["measure"].map(lambda name: t.entries.get(f"measure.{name}", name.replace("_", " ")))
    if len(page.settings.cores) > 1:
        long["series"] = long["core"] + ": " + long["series"]
    is_loss = long["measure"] == "loss"
    left, right = st.columns(2)
    with left:
        if is_loss.any():
            _lines(page, t("model.loss"), long[is_loss].drop(columns="measure"), t("column.loss"))
        else:
            page.nothing("model.no_loss")
    with right:
        _lines(page, t("model.validation"), long[~is_loss], t("column.value"))


def _lines(page: Page, title: str, curves: pd.DataFrame, value: str) -> None:
    """Show learning curves; `value` is the title of the y axis."""
    titles = {"epoch": page.texts("column.epoch"), "value": value, "series": page.texts("column.series")}
    chart = charts.lines(curves, "epoch", "value", "series", titles)
    page.chart(title, curves.drop(columns="series"), chart)


def _core(page: Page, cores: Cores) -> None:
    """Show a form for a question, the answers of a core, and its lattice."""
    t = page.texts
    st.subheader(t("model.ask"), anchor=False)
    if not page.settings.cores:
        page.nothing("model.no_core")
        return
    if not has_token(page.settings.token, st.query_params.get("token", "")):
        page.nothing("model.no_token")
        return
    folder = one_of("core", page.settings.cores, t("model.choose_core"))
    with st.form("ask", border=False):
        shared: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
        question = st.text_input(t("model.question"), placeholder=t("model.question_hint"), key="question", **shared)
        hint = t("model.context_hint")
        context = st.text_area(t("model.context"), placeholder=hint, height=80, key="context", **shared)
        size = st.select_slider(t("model.answers"), _SIZES, value=_SIZES[1], format_func=t.number)
        if st.form_submit_button(t("model.ask_button"), icon=":material/send:"):
            st.session_state["asked"] = question.strip(), context, size, page.filters
    question, context, size, filters = st.session_state.get("asked", ("", "", _SIZES[1], page.filters))
    if not question or filters != page.filters:
        st.caption(t("model.ask_note"))
        return
    with st.spinner(t("model.loading", core=Path(folder).name)):
        core = opened(cores, folder)
    turns = [line.strip() for line in context.splitlines() if line.strip()]
    if core.facts["mode"] == "autoencoder":
        page.nothing("model.autoencoder")
        turns = []
    else:
        _answers(page, core, question, turns, size)
    _lattice(page, core, question, turns)


def _answers(page: Page, core: OpenCore, question: str, context: list[str], size: int) -> None:
    t = page.texts
    where, parameters = page.filters.where(COLUMNS, *_QUESTION_ANSWER)
    answers = page.store.frame(ANSWERS.format(where=where, most=size), parameters)
    if answers.empty:
        page.nothing("pairs.none")
        return
    answers = answers.drop_duplicates("answer")
    with st.spinner(t("model.encoding", n=len(answers), teacher=core.facts["teacher"])):
        ranked = core.rank(question, context, answers["answer"].tolist(), 10)
    best = answers.iloc[[row for row, _ in ranked]].assign(cosine=[cosine for _, cosine in ranked])
    st.chat_message("user", avatar=":material/person:").text(question)
    with st.chat_message("assistant", avatar=":material/view_in_ar:"):
        st.text(best["answer"].iat[0])
    columns = {"cosine": "%.3f", **dict.fromkeys(("answer", "source", "split", "dialogue_id"), "")}
    page.table(t("model.best", n=len(best), all=len(answers)), best, columns, t("model.best_note"))


def _lattice(page: Page, core: OpenCore, question: str, context: list[str]) -> None:
    """Show the lattice with as much of the context as the visitor chooses, and what each turn adds."""
    t = page.texts
    states = core.lattice(question, context)
    shape = " × ".join(map(str, states.shape[2:]))
    st.subheader(t("lattice.title"), anchor=False)
    st.caption(t("lattice.note", sides=shape, n=core.facts["parameters"], teacher=core.facts["teacher"]))
    turns = len(states) - 1
    if turns:
        _added(page, states, context)
        read = {str(number): t.number(number) for number in range(turns + 1)}
        turns = int(switch("read", read, t("lattice.read_title"), first=str(turns)))
    view = _view(page, states[: turns + 1])
    numbers = pd.DataFrame(np.ndindex(view.shape), columns=list("xyz")).assign(state=view.ravel())
    page.heading(t("lattice.cells", question=question), numbers)
    st.plotly_chart(lattice_picture(view, t), width="stretch", alt=t("lattice.title"))


def _view(page: Page, states: np.ndarray) -> np.ndarray:
    """Let the visitor choose a state or a difference of states, shape (x, y, z).

    Args:
        page: The page.
        states: States with 0, 1, ... turns of context, of shape (1 + turns, steps + 1, x, y, z).
    """
    t, last = page.texts, states[-1]
    names = [t("lattice.start"), *(t("lattice.step", n=step) for step in range(1, len(last)))]
    views = {name: last[step] for step, name in enumerate(names)} | {t("lattice.change"): last[-1] - last[0]}
    if len(states) > 1:
        views[t("lattice.added")] = states[-1][-1] - states[-2][-1]
    name = st.segmented_control(t("lattice.when"), list(views), default=names[-1], required=True, key="step")
    return views.get(str(name), last[-1])


def _added(page: Page, states: np.ndarray, context: list[str]) -> None:
    """Show how far each turn of the context, the last one first, moves the result."""
    results = states[:, -1].reshape(len(states), -1)
    results /= np.maximum(np.linalg.norm(results, axis=1, keepdims=True), 1e-12)
    read = list(reversed(context))[: len(states) - 1]
    rows = pd.DataFrame(
        {
            "turn": read,
            "shift": [float(1 - results[n] @ results[n - 1]) for n in range(1, len(results))],
            "cosine": [float(results[n] @ results[0]) for n in range(1, len(results))],
        }
    )
    t = page.texts
    page.table(t("lattice.turns"), rows, {"turn": "", "shift": "%.3f", "cosine": "%.3f"}, t("lattice.turns_note"))


_QUESTION_ANSWER = ("anchor_speaker = 'user'", "positive_speaker = 'system'")


@st.cache_resource(max_entries=2, show_spinner=False)
def opened(_cores: Cores, folder: str) -> OpenCore:
    """The core in a folder, loaded once."""
    return _cores.open(Path(folder))
