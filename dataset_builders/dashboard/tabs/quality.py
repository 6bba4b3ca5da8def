"""Tab Quality: dropped rows with their reasons, flags, duplicates, and leaks between splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard import charts

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

DROPPED = """
SELECT row_id, source, split, reason, "value", text, license FROM drops {where} ORDER BY drop_id
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

MEMBERS = """
SELECT dialogue_id, source, kind, similarity, nearest_id, left(dialog_text, 300) AS text
FROM clusters LEFT JOIN dialogs USING (dialogue_id, source) WHERE clusters.cluster_id = ? ORDER BY ALL
"""

LEAKS = """
SELECT
    kind, source, splits,
    (sum(rows) FILTER (stage = 'before'))::BIGINT AS before, (sum(rows) FILTER (stage = 'after'))::BIGINT AS after
FROM leaks {where} GROUP BY ALL HAVING sum(rows) > 0 ORDER BY ALL
"""

_SHOWN = 500
"""Maximum number of dropped rows to show; the download has all of them."""


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
    before, after = int(rows["rows_in"].sum()), int(rows["rows_out"].sum())
    page.figures(
        {
            t("quality.rows_in"): t.number(before),
            t("quality.rows_out"): t.number(after),
            t("quality.dropped"): t.number(before - after),
            t("quality.kept"): t.percent(after / before if before else None),
        },
        {t("quality.rows_in"): t("quality.rows_help")},
    )
    rows = rows.assign(config=rows["config"].map(lambda config: t(f"config.{config}")))
    columns = {"config": "", "source": "", **dict.fromkeys(("rows_in", "dropped", "rows_out"), "localized")}
    page.table(t("quality.rows"), rows, {**columns, "kept": "percent"})


def _drops(page: Page) -> None:
    """Show the number of dropped rows by filter, and the rows of one filter."""
    t, columns = page.texts, ("source", "split")
    drops = page.ask(DROPS, columns=columns)
    st.subheader(t("quality.drops"), anchor=False)
    page.unfiltered(columns)
    if drops.empty:
        page.nothing("quality.no_drops")
        return
    named = _named(page, drops, "filter")
    titles = {"name": t("column.filter"), "rows": t("column.rows")}
    page.chart(t("quality.by_reason"), drops, charts.bars(named, "name", "rows", titles, colour=charts.VERMILION))
    names = dict(zip(drops["config"] + ":" + drops["filter"], named["name"], strict=True))
    reason = st.selectbox(
        t("quality.choose_reason"),
        list(names),
        format_func=lambda key: names.get(key, key),
        key="reason",
        persist_state="session",
    )
    config, name = str(reason).split(":", 1)
    where, parameters = page.filters.where(columns, "config = ?", '"filter" = ?')
    every, parameters = DROPPED.format(where=where), [*parameters, config, name]
    first = page.store.frame(f"{every} LIMIT {_SHOWN}", parameters)
    total = int(drops[(drops["config"] == config) & (drops["filter"] == name)]["rows"].iat[0])
    page.table(
        t("quality.dropped_rows", n=len(first), all=total),
        first,
        dict.fromkeys(("text", "reason", "value", "source", "split", "row_id", "license"), ""),
        every=(every, parameters),
    )


def _flags(page: Page) -> None:
    t = page.texts
    flags = page.ask(FLAGS)
    st.subheader(t("quality.flags"), anchor=False)
    if flags.empty:
        page.nothing("quality.no_flags")
        return
    titles = {"name": t("column.flag"), "rows": t("column.rows")}
    top = _named(page, flags.head(25), "flag")
    page.chart(t("quality.by_flag"), flags, charts.bars(top, "name", "rows", titles, colour=charts.ORANGE))


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
                page.chart(title, rows, charts.grid(rows, "also_in", "source", "rows", titles))
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
    page.table(t("quality.clusters", n=len(clusters)), clusters, columns)
    cluster = st.selectbox(t("quality.choose_cluster"), clusters["cluster_id"], key="cluster", persist_state="session")
    members = page.store.only(None).frame(MEMBERS, [cluster])
    texts = ("dialogue_id", "source", "kind")
    columns = {**dict.fromkeys(texts, ""), "similarity": "%.2f", "nearest_id": "", "text": ""}
    page.table(t("quality.members"), members, columns)


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
    kinds = leaks.assign(kind=leaks["kind"].map(lambda kind: t(f"leak.{kind}")))
    long = kinds.melt(["kind", "source"], ["before", "after"], "stage", "rows")
    long = long.groupby(["kind", "stage"], as_index=False)["rows"].sum()
    stages = {stage: t(f"quality.{stage}") for stage in ("before", "after")}
    long["stage"] = long["stage"].map(stages)
    titles = {"kind": t("column.kind"), "rows": t("column.rows"), "stage": t("column.stage")}
    chart = charts.grouped_bars(long, "kind", "rows", "stage", titles, list(stages.values()))
    page.chart(t("quality.leaks_by_kind"), long, chart, t("quality.leaks_note"))
    numbers = {"before": "localized", "after": "localized"}
    page.table(t("quality.leaks_by_source"), kinds, {"kind": "", "source": "", "splits": "", **numbers})


def _named(page: Page, frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Add the column `name`: the filter or flag, and the kind of rows."""
    kinds = frame["config"].map(lambda config: page.texts(f"short.{config}"))
    return frame.assign(name=frame[column] + " · " + kinds)
