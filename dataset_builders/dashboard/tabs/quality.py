"""Tab Quality: dropped rows with their reasons, flags, duplicates, and leaks between splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import Behind, by
from dataset_builders.dashboard.page import open_rows, plain
from dataset_builders.dashboard.reasons import explained, show_reasons
from dataset_builders.schema import CONFIGS

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

ROWS = """
SELECT config, source, rows_in, rows_in - rows_out AS dropped, rows_out, rows_out / nullif(rows_in, 0) AS kept
FROM source_rows {where} ORDER BY ALL
"""

DROPS = """
SELECT config, filter, sum(rows)::BIGINT AS rows FROM drop_counts {where}
GROUP BY ALL ORDER BY rows DESC, config, filter
"""

FLAGS = """
SELECT config, flag, sum(rows)::BIGINT AS rows FROM flag_counts {where} GROUP BY ALL ORDER BY rows DESC, config, flag
"""

DUPLICATES = "SELECT source, also_in, rows FROM duplicates {where} ORDER BY ALL"

CLUSTERS = """
SELECT
    cluster_id, count(*) AS dialogues, string_agg(DISTINCT source, ', ' ORDER BY source) AS sources,
    min(similarity) AS similarity
FROM clusters GROUP BY cluster_id HAVING count(DISTINCT source) > 1 {also} ORDER BY dialogues DESC, cluster_id LIMIT 100
"""

LEAKS = """
SELECT
    kind, source, splits,
    (sum(rows) FILTER (stage = 'before'))::BIGINT AS before, (sum(rows) FILTER (stage = 'after'))::BIGINT AS after
FROM leaks {where} GROUP BY ALL HAVING sum(rows) > 0 ORDER BY ALL
"""

_REASONS = 25
"""Maximum number of flags in a chart; more would not be readable."""


def show(page: Page) -> None:
    """Draw the tab."""
    _rows(page)
    _drops(page)
    _flags(page)
    _duplicates(page)
    _leaks(page)


def _rows(page: Page) -> None:
    t = page.texts
    rows = page.ask(ROWS, columns=("source",))
    if rows.empty:
        page.nothing("quality.no_rows")
        return
    page.unfiltered(("source",))
    figures, notes = {}, []
    for config in CONFIGS:  # not added up: a pair is cut from a dialogue, and would count twice
        of_kind = rows[rows["config"] == config]
        before, after = int(of_kind["rows_in"].sum()), int(of_kind["rows_out"].sum())
        if before:
            label = t("quality.kept_of", config=t(f"config.{config}"))
            figures[label] = t.percent(after / before)
            notes.append(t(f"quality.kept_note_{config}", read=before, kept=after, dropped=before - after))
    page.figures(figures)
    st.caption(" ".join(notes))
    shown = rows.assign(kind=rows["config"].map(lambda config: t(f"short.{config}")))
    columns = {"kind": "", "source": "", **dict.fromkeys(("rows_in", "dropped", "rows_out"), "localized")}
    page.table(
        t("quality.rows"),
        shown,
        {**columns, "kept": "percent"},
        t("quality.rows_note"),
        opens=_dropped_or_kept,
        phone=("source", "kind", "kept"),
    )


def _dropped_or_kept(row: Mapping[str, Any]) -> Behind:
    """The dropped rows of a source, or its rows if none was dropped."""
    if row["dropped"]:
        return Behind("drops", (("config", row["config"]), ("source", row["source"])))
    return Behind(row["config"], (("source", row["source"]),))


def _drops(page: Page) -> None:
    """Show the number of dropped rows by filter, and what each filter does."""
    t, columns = page.texts, ("source", "split")
    drops = page.ask(DROPS, columns=columns)
    st.subheader(t("quality.drops"), anchor=False)
    page.unfiltered(columns)
    if drops.empty:
        page.nothing("quality.no_drops")
        return
    _reasons(page, t("quality.by_reason"), drops, "filter", charts.VERMILION)


def _reasons(page: Page, title: str, rows: pd.DataFrame, column: str, colour: str) -> None:
    """Show the rows by filter or flag as bars, and each filter or flag with its meaning beside them."""
    t = page.texts
    top = _named(page, rows.head(_REASONS), column)
    reasons = dict(zip(top["name"], zip(top["config"], top[column], strict=True), strict=True))

    def behind(config: str, name: str) -> Behind:
        if column == "flag":
            return Behind(config, (("flag", name),))
        return Behind("drops", (("config", config), ("filter", name)))

    titles = {"name": t(f"column.{column}"), "rows": t("column.rows")}
    left, right = st.columns(2)
    with left:
        chart = charts.bars(top, "name", "rows", titles, colour=colour)
        page.chart(title, rows, chart, t("page.click"), lambda bar: behind(*reasons[bar["name"]]))
    with right:
        show_reasons(page, rows, column, behind)


def _flags(page: Page) -> None:
    t = page.texts
    flags = page.ask(FLAGS)
    st.subheader(t("quality.flags"), anchor=False)
    if flags.empty:
        page.nothing("quality.no_flags")
        return
    _reasons(page, t("quality.by_flag"), flags, "flag", charts.ORANGE)


def _duplicates(page: Page) -> None:
    """Show the rows that two sources share, and the largest clusters."""
    t = page.texts
    st.subheader(t("quality.duplicates"), anchor=False)
    page.unfiltered(("source",))
    left, right = st.columns(2)
    titles = {"source": t("column.source"), "also_in": t("column.also_in"), "rows": t("column.rows")}
    has_duplicates = False
    for column, config in ((left, "dialogues"), (right, "downstream")):
        rows = page.ask(DUPLICATES, f"config = '{config}'", "rows > 0", columns=("source",))
        if not rows.empty:
            has_duplicates = True
            with column:
                title = t("quality.duplicates_of", config=t(f"config.{config}"))
                chart = charts.grid(rows, "also_in", "source", "rows", titles)
                page.chart(title, rows, chart, opens=by("duplicates", "source", "also_in", config=config))
    if not has_duplicates:
        page.nothing("quality.no_duplicates")
        return
    st.caption(t("quality.duplicates_note"))
    sources = page.filters.source
    also = f"AND list_has_any(list(source), [{', '.join('?' * len(sources))}])" if sources else ""
    clusters = page.store.frame(CLUSTERS.format(also=also), sources)
    if clusters.empty:
        page.nothing("quality.no_clusters")
        return
    columns = {"sources": "", "dialogues": "localized", "similarity": "%.2f", "cluster_id": ""}
    title = t("quality.clusters", n=len(clusters))
    page.table(title, clusters, columns, t("quality.choose_cluster"), opens=by("clusters", "cluster_id"))


def _leaks(page: Page) -> None:
    """Show the rows that are in two splits, before and after the split policy."""
    t = page.texts
    st.subheader(t("quality.leaks"), anchor=False)
    page.unfiltered(("source",))
    leaks = page.ask(LEAKS, columns=("source",))
    if leaks.empty:
        page.nothing("quality.no_leaks")
        return
    leaks = leaks.fillna({"before": 0, "after": 0})
    page.figures(
        {
            t("quality.leaks_before"): t.number(leaks["before"].sum()),
            t("quality.leaks_after"): t.number(leaks["after"].sum()),
        }
    )
    kinds = leaks.assign(leak=leaks["kind"], kind=leaks["kind"].map(lambda kind: t(f"leak.{kind}")))
    long = kinds.melt(["kind", "source"], ["before", "after"], "stage", "rows")
    long = long.groupby(["kind", "stage"], as_index=False)["rows"].sum()
    stages = {stage: t(f"quality.{stage}") for stage in ("before", "after")}
    long["stage"] = long["stage"].map(stages)
    titles = {"kind": t("column.kind"), "rows": t("column.rows"), "stage": t("column.stage")}
    names = dict(zip(kinds["kind"], kinds["leak"], strict=True))
    left, right = st.columns(2)
    with left:
        chart = charts.grouped_bars(long, "kind", "rows", "stage", titles, list(stages.values()))
        page.chart(
            t("quality.leaks_by_kind"),
            long,
            chart,
            t("page.click"),
            lambda bar: Behind("leaks", (("leak", names[bar["kind"]]),)),
        )
    with right:
        for shown, name in names.items():
            behind = Behind("leaks", (("leak", name),))
            icon = ":material/table_rows:"
            st.button(plain(shown), key=f"leak-{name}", type="tertiary", icon=icon, on_click=open_rows, args=(behind,))
            st.caption(explained(f"leak:{name}", t))
        st.caption(t("quality.leaks_note"))
    numbers = {"before": "localized", "after": "localized"}
    columns = {"kind": "", "source": "", "splits": "", **numbers}
    page.table(
        t("quality.leaks_by_source"),
        kinds,
        columns,
        opens=by("leaks", "leak", "source"),
        phone=("kind", "source", "after"),
    )


def _named(page: Page, frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Add the column `name`: the filter or flag, and the kind of rows."""
    kinds = frame["config"].map(lambda config: page.texts(f"short.{config}"))
    return frame.assign(name=frame[column] + " · " + kinds)
