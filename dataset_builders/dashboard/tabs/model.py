"""Tab Model: how cores compare, how they learned, what they answer, what they look like inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.cores import Cores, OpenCore, find_cores
from dataset_builders.dashboard.filters import COLUMNS
from dataset_builders.dashboard.lattice import lattice_picture

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

ANSWERS = """
SELECT
    any_value(positive ORDER BY pair_id) AS answer, any_value(source ORDER BY pair_id) AS source,
    any_value(split ORDER BY pair_id) AS split, min(dialogue_id) AS dialogue_id
FROM pairs {where} GROUP BY answer_id ORDER BY hash(answer_id), answer_id LIMIT {most}
"""
"""Different answers of what is chosen, an arbitrary choice that is the same every time."""

_APART = ("source", "method", "minus", "pairs", "difference")
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
    file = _one_of(page, "leaderboard", page.settings.leaderboards)
    rows = pd.DataFrame(cores.leaderboard(Path(file)))
    if rows.empty:
        page.nothing("model.empty_leaderboard", file=file)
        return
    left, right = st.columns(2)
    with left:
        tested = list(rows["source"].unique())
        chosen = next((place for place, name in enumerate(tested) if name in page.filters.source), 0)
        key = f"board-source {page.filters.source}"  # another choice at the left is another start here
        source = st.selectbox(t("model.tested_on"), tested, index=chosen, key=key)
    rows = rows[rows["source"] == source]
    sizes = {t("model.all_pairs") if pd.isna(n) else t.number(n): n for n in rows["pairs"].unique()}
    learned = [name for name, n in sizes.items() if not pd.isna(n)]
    with right:
        size = st.selectbox(
            t("model.trained_on"), learned or list(sizes), index=len(learned or sizes) - 1, key="board-size"
        )
    shown = rows[(rows["pairs"] == sizes[size]) | rows["pairs"].isna()].sort_values("accuracy", ascending=False)
    titles = {name: t(f"column.{name}") for name in ("method", "accuracy", "parameters")}
    drawn = charts.intervals(shown, "method", "accuracy", "low", "high", titles)
    page.chart(t("model.accuracy_of", source=source), rows, drawn, t("model.interval_note"))
    apart = pd.DataFrame(cores.differences(Path(file)), columns=[*_APART, "low", "high"])
    apart = apart[(apart["source"] == source) & apart["pairs"].isin([sizes[size]])]
    if not apart.empty:
        other = apart["minus"].iat[0]
        titles |= {"difference": t("column.difference", other=other)}
        drawn = charts.intervals(apart, "method", "difference", "low", "high", titles, reference=0)
        page.chart(
            t("model.difference", other=other, source=source), apart, drawn, t("model.difference_note", other=other)
        )
    columns = {
        "method": "",
        **dict.fromkeys(("pairs", "parameters", "seeds"), "localized"),
        **dict.fromkeys(("accuracy", "low", "high", "mrr", "cosine"), "%.3f"),
        "seconds": "%.1f",
        "microseconds": "%.2f",
    }
    page.table(t("model.leaderboard_table"), shown, columns)


def _curves(page: Page, cores: Cores) -> None:
    t = page.texts
    st.subheader(t("model.curves"), anchor=False)
    if not page.settings.cores:
        page.nothing("model.no_core")
        return
    histories = [
        pd.DataFrame(cores.training(Path(folder))).assign(core=Path(folder).name) for folder in page.settings.cores
    ]
    history = pd.concat(histories)
    long = history.melt(["epoch", "core"], var_name="measure", value_name="value").dropna()
    long["value"] = long["value"].astype(float)
    figures = [name for name in long["measure"].unique() if name != "loss"]
    long["series"] = long["measure"].map(lambda name: name.replace("_", " "))
    if len(page.settings.cores) > 1:
        long["series"] = long["core"] + ": " + long["series"]
    titles = {"epoch": t("column.epoch"), "value": t("column.value"), "series": t("column.series")}
    left, right = st.columns(2)
    with left:
        loss = long[long["measure"] == "loss"]
        if loss.empty:
            page.nothing("model.no_loss")
        else:
            drawn = charts.lines(loss, "epoch", "value", "series", {**titles, "value": t("column.loss")})
            page.chart(t("model.loss"), loss[["core", "epoch", "value"]], drawn)
    with right:
        judged = long[long["measure"].isin(figures)]
        drawn = charts.lines(judged, "epoch", "value", "series", titles)
        page.chart(t("model.validation"), judged[["core", "epoch", "measure", "value"]], drawn)


def _core(page: Page, cores: Cores) -> None:
    """Ask a core, and look into it."""
    t = page.texts
    st.subheader(t("model.ask"), anchor=False)
    if not page.settings.cores:
        page.nothing("model.no_core")
        return
    folder = _one_of(page, "core", page.settings.cores)
    with st.form("ask", border=False):
        question = st.text_input(t("model.question"), placeholder=t("model.question_hint"))
        context = st.text_area(t("model.context"), placeholder=t("model.context_hint"), height=80)
        size = st.select_slider(t("model.answers"), _SIZES, value=_SIZES[1], format_func=t.number)
        wanted = st.form_submit_button(t("model.ask_button"), icon=":material/send:")
    if wanted:
        st.session_state["asked"] = question.strip(), context, size, page.filters
    question, context, size, filters = st.session_state.get("asked", ("", "", _SIZES[1], page.filters))
    if not question or filters != page.filters:
        st.caption(t("model.ask_note"))
        return
    with st.spinner(t("model.loading", core=Path(folder).name)):
        core = opened(cores, folder)
    if core.facts["mode"] == "autoencoder":
        page.nothing("model.autoencoder")
    else:
        _answers(page, core, question, [line for line in context.splitlines() if line.strip()], size)
    _lattice(page, core, question)


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


def _lattice(page: Page, core: OpenCore, question: str) -> None:
    t = page.texts
    states = core.lattice(question)
    sides = " × ".join(map(str, states.shape[1:]))
    names = [t("lattice.start"), *(t("lattice.step", n=step) for step in range(1, len(states)))]
    views = {name: states[step] for step, name in enumerate(names)} | {t("lattice.change"): states[-1] - states[0]}
    st.subheader(t("lattice.title"), anchor=False)
    st.caption(t("lattice.note", sides=sides, n=core.facts["parameters"], teacher=core.facts["teacher"]))
    view = st.segmented_control(t("lattice.when"), list(views), default=names[-1], required=True, key="step")
    chosen = views[str(view)]
    numbers = pd.DataFrame(np.ndindex(chosen.shape), columns=list("xyz")).assign(state=chosen.ravel())
    page.heading(t("lattice.cells", question=question), numbers)
    st.plotly_chart(lattice_picture(chosen, t), width="stretch", alt=t("lattice.title"))


def _one_of(page: Page, name: str, paths: tuple[str, ...]) -> str:
    """The only path, or a choice."""
    if len(paths) == 1:
        return paths[0]
    return str(st.selectbox(page.texts(f"model.choose_{name}"), paths, key=f"choose-{name}"))


_QUESTION_ANSWER = ("anchor_speaker = 'user'", "positive_speaker = 'system'")


@st.cache_resource(max_entries=2, show_spinner=False)
def opened(_cores: Cores, folder: str) -> OpenCore:
    """A core of a folder, loaded once."""
    return _cores.open(Path(folder))
