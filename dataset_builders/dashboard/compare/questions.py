"""Two encoders or cores on the same questions: where each of them ranks the true answer higher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.cores import Cores, find_cores
from dataset_builders.dashboard.filters import COLUMNS
from dataset_builders.dashboard.guard import has_token
from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.search.neighbours import teacher

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

QUESTIONS = """
SELECT anchor, positive, source, pair_id, dialogue_id, turn_index FROM pairs {where}
QUALIFY row_number() OVER (PARTITION BY answer_id ORDER BY hash(pair_id), pair_id) = 1
    AND row_number() OVER (PARTITION BY anchor ORDER BY hash(pair_id), pair_id) = 1
ORDER BY row_number() OVER (PARTITION BY source ORDER BY hash(pair_id), pair_id), source LIMIT {most}
"""
"""Questions with distinct answers, equally many of each source as far as they have them; the same in each run."""

_SIZES = (100, 300, 1000)

_SHARED: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}

_WHOLE = ""
"""Name of the row for all sources."""


def show_questions(page: Page) -> None:
    """Draw the comparison of two encoders or cores."""
    t, cores = page.texts, find_cores()
    _leaderboards(page, cores)
    st.subheader(t("compare.own_questions"), anchor=False)
    folders = page.settings.cores if cores is not None else ()
    rivals = named(folders, [page.settings.teacher, *page.settings.encoders])
    if len(rivals) < 2:
        page.nothing("compare.one_encoder")
        return
    if not has_token(page.settings.token, st.query_params.get("token", "")):
        page.nothing("model.no_token")
        return
    with st.form("rivals", border=False):
        left, right = st.columns(2)
        with left:
            first = st.selectbox(t("compare.first"), list(rivals), key="rival-1", **_SHARED)
        with right:
            second = st.selectbox(t("compare.second"), list(rivals), index=1, key="rival-2", **_SHARED)
        size = st.select_slider(t("compare.questions"), _SIZES, value=_SIZES[0], format_func=t.number)
        if st.form_submit_button(t("compare.run"), icon=":material/play_arrow:"):
            st.session_state["rivals-of"] = first, second, size, page.filters
    first, second, size, filters = st.session_state.get("rivals-of", ("", "", 0, None))
    if not first or filters != page.filters:
        st.caption(t("compare.run_note"))
        return
    if first == second:
        page.nothing("compare.equal")
        return
    where, parameters = page.filters.where(COLUMNS, "anchor_speaker = 'user'", "positive_speaker = 'system'")
    questions = page.store.frame(QUESTIONS.format(where=where, most=size), parameters)
    if len(questions) < 2:
        page.nothing("pairs.none")
        return
    ranks = []
    for name in (first, second):
        with st.spinner(t("compare.ranking", name=plain(name), n=len(questions))):
            ranks.append(_ranks(cores, rivals[name], questions))
    _results(page, questions.assign(first=ranks[0], second=ranks[1]), (first, second))


def named(cores: Sequence[str], encoders: Sequence[str]) -> dict[str, str]:
    """Short names of cores and encoders, which hold no path of this machine.

    >>> named(["/a/core", "/b/core"], ["minilm", "minilm"])
    {'a/core': 'core:/a/core', 'b/core': 'core:/b/core', 'minilm': 'encoder:minilm'}
    """
    every = [f"core:{folder}" for folder in dict.fromkeys(cores)]
    every += [f"encoder:{name}" for name in dict.fromkeys(encoders)]
    paths = [Path(rival.partition(":")[2]) for rival in every]
    names = [path.name for path in paths]
    return {
        name if names.count(name) == 1 else f"{path.parent.name}/{name}": rival
        for name, path, rival in zip(names, paths, every, strict=True)
    }


@st.cache_data(max_entries=20, show_spinner=False)
def _ranks(_cores: Cores | None, rival: str, questions: pd.DataFrame) -> list[int]:
    """The rank of the true answer to each question among the answers to all, from 1."""
    asked, answers = questions["anchor"].tolist(), questions["positive"].tolist()
    kind, _, name = rival.partition(":")
    if kind == "encoder":
        encoder = teacher(name)
        return true_ranks(encoder.encode(asked) @ encoder.encode(answers).T)
    from dataset_builders.dashboard.tabs.model import opened

    assert _cores is not None
    core = opened(_cores, name)
    ranks = []
    for place, question in enumerate(asked):
        order = [index for index, _ in core.rank(question, [], answers, len(answers))]
        ranks.append(order.index(place) + 1)
    return ranks


def true_ranks(cosines: np.ndarray) -> list[int]:
    """The rank of the answer with the index of its question, from 1; an equal answer counts as better.

    Args:
        cosines: Of shape (questions, answers), as many of both.

    >>> true_ranks(np.array([[0.9, 0.1], [0.8, 0.3]]))
    [1, 2]
    """
    return (cosines >= np.diag(cosines)[:, None]).sum(axis=1).tolist()


def by_source(ranks: pd.DataFrame) -> pd.DataFrame:
    """Which of two is better, for each source and for all of them.

    Args:
        ranks: Columns `source`, `first` and `second` (ranks of the true answer).

    Returns:
        `source` (empty for all), `questions`, `first` and `second` (shares of true answers at rank 1), the numbers of
        questions where the `first_wins`, the `second_wins`, and `ties`; `difference` of the mean reciprocal ranks,
        second minus first, with the ends `low` and `high` of its 95 % interval over the questions.
    """
    lines = []
    for source, part in [(_WHOLE, ranks), *ranks.groupby("source")]:
        gain = 1 / part["second"] - 1 / part["first"]
        reach = 1.96 * gain.std(ddof=1) / len(part) ** 0.5 if len(part) > 1 else float("nan")
        lines.append(
            {
                "source": source,
                "questions": len(part),
                "first": (part["first"] == 1).mean(),
                "second": (part["second"] == 1).mean(),
                "first_wins": int((part["first"] < part["second"]).sum()),
                "second_wins": int((part["second"] < part["first"]).sum()),
                "ties": int((part["first"] == part["second"]).sum()),
                "difference": gain.mean(),
                "low": gain.mean() - reach,
                "high": gain.mean() + reach,
            }
        )
    return pd.DataFrame(lines)


def _results(page: Page, ranks: pd.DataFrame, names: tuple[str, str]) -> None:
    t = page.texts
    first, second = names
    table = by_source(ranks)
    table = table.assign(source=table["source"].replace(_WHOLE, t("compare.all_sources")))
    titles = {"source": t("column.source"), "difference": t("compare.gain", first=first, second=second)}
    page.chart(
        t("compare.gain_title"),
        table,
        charts.intervals(table.dropna(), "source", "difference", "low", "high", titles, reference=0),
        t("compare.gain_note", n=len(ranks)),
    )
    columns = {"source": "", "questions": "localized", "first": "percent", "second": "percent"}
    wins = dict.fromkeys(("first_wins", "second_wins", "ties"), "localized")
    config = {
        name: st.column_config.NumberColumn(t(f"compare.{name}_of", name=plain(rival)))
        for name, rival in (("first", first), ("second", second), ("first_wins", first), ("second_wins", second))
    }
    page.table(t("compare.wins"), table, {**columns, **wins}, config=config)
    apart = ranks.assign(apart=(1 / ranks["second"] - 1 / ranks["first"]).abs())
    apart = apart[apart["apart"] > 0].sort_values(["apart", "pair_id"], ascending=[False, True]).head(100)
    if apart.empty:
        return
    ranked = {
        name: st.column_config.NumberColumn(t("compare.rank_of", name=plain(rival)))
        for name, rival in (("first", first), ("second", second))
    }
    columns = {"anchor": "", "positive": "", "first": "localized", "second": "localized", "source": "", "pair_id": ""}
    page.table(t("compare.apart"), apart, columns, t("compare.apart_note"), config=ranked, height=360)


def _leaderboards(page: Page, cores: Cores | None) -> None:
    """Show two methods of the leaderboards on each source, if there is a leaderboard."""
    t = page.texts
    if cores is None or not page.settings.leaderboards:
        return
    rows = pd.concat(
        [
            pd.DataFrame(cores.leaderboard(Path(file))).assign(file=Path(file).parent.name + "/" + Path(file).name)
            for file in page.settings.leaderboards
        ]
    )
    if rows.empty:
        return
    rows = rows.sort_values("pairs", na_position="first").groupby(["file", "method", "source"], as_index=False).last()
    many = len(page.settings.leaderboards) > 1
    rows["name"] = rows["method"] + ((" · " + rows["file"]) if many else "")
    names = list(dict.fromkeys(rows["name"]))
    if len(names) < 2:
        return
    st.subheader(t("compare.methods"), anchor=False)
    left, right = st.columns(2)
    with left:
        first = st.selectbox(t("compare.first"), names, key="method-1", **_SHARED)
    with right:
        second = st.selectbox(t("compare.second"), names, index=1, key="method-2", **_SHARED)
    both = methods_side_by_side(rows, (first, second))
    if both.empty:
        page.nothing("compare.no_shared")
        return
    titles = {"source": t("column.source"), "accuracy": t("column.accuracy"), "name": t("column.method")}
    chart = charts.grouped_bars(both, "source", "accuracy", "name", titles, [first, second])
    page.chart(t("compare.methods_title"), both, chart, t("compare.methods_note"))


def methods_side_by_side(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The accuracies of methods on the sources that all of them were tested on, best known difference first.

    Args:
        rows: Columns `source`, `name` and `accuracy`.
        names: Names of the methods.
    """
    selected = rows[rows["name"].isin(list(names))]
    shared = selected.groupby("source")["name"].nunique() == len(set(names))
    kept: Any = selected[selected["source"].map(shared)]
    return kept[["source", "name", "accuracy", "low", "high"]].sort_values(["source", "name"]).reset_index(drop=True)
