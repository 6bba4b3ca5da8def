"""Sources side by side: their figures, their histograms, and the words that tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dataset_builders.dashboard.behind import Behind, between, by
from dataset_builders.dashboard.charts import CLICKED, PALETTE, specification
from dataset_builders.dashboard.lengths import bin_width, binned

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

MOST = len(PALETTE)
"""Maximum number of sources that are compared: one for each colour."""

SOURCES = "SELECT source, sum(rows)::BIGINT AS rows FROM row_counts GROUP BY source ORDER BY rows DESC, source"

ROWS = "SELECT source, config, sum(rows)::BIGINT AS rows FROM row_counts {where} GROUP BY ALL"

LENGTHS = {
    "turns": ("dialogue_histograms", "dialogues", "measure = 'turns'"),
    "utterance_words": ("utterance_histograms", "utterances", "measure = 'words'"),
    "label_words": ("downstream_histograms", "rows", "measure = 'words'"),
}
"""Table of each histogram, its column of counts, and the condition on its rows."""

HISTOGRAM = """
SELECT source, value, sum({counted})::BIGINT AS count FROM {table} {{where}} GROUP BY ALL ORDER BY ALL
"""

_SCORE = "score"
"""Name of the histogram of quality scores."""

SCORES = """
SELECT source, score AS value, sum(pairs)::BIGINT AS count, sum(millionths)::BIGINT AS millionths
FROM score_counts {where} GROUP BY ALL ORDER BY ALL
"""

KEPT = """
SELECT source, sum(rows_out) / nullif(sum(rows_in), 0) AS kept FROM source_rows {where} GROUP BY source
"""

NAMES = """
SELECT source, kind, count(DISTINCT name) AS names FROM domain_counts {where} GROUP BY ALL
"""

LABELS = """
SELECT source, count(DISTINCT label) AS names
FROM (SELECT source, unnest(labels) AS label FROM label_counts {where}) GROUP BY source
"""

LANGUAGES = (
    "SELECT source, string_agg(DISTINCT language, ', ' ORDER BY language) AS text FROM row_counts {where} GROUP BY 1"
)

FACTS = "SELECT source, license, origin FROM sources {where}"

WORDS = """
SELECT source, word, sum(occurrences)::BIGINT AS occurrences FROM word_counts {where} GROUP BY ALL
"""

_TELLING = 12
"""Number of words of each source."""

_BEHIND = {
    "turns": ("dialogues", "turns"),
    "utterance_words": ("turns", "words"),
    "label_words": ("downstream", "words"),
}
"""Kind of the rows behind a bar, and the condition on their length."""


def show_sources(page: Page) -> None:
    """Draw the comparison of sources."""
    t = page.texts
    names = page.store.frame(SOURCES)["source"].tolist()
    sources = st.multiselect(
        t("compare.sources"),
        names,
        default=names[:2] if "sources" not in st.query_params else None,
        key="sources",
        max_selections=MOST,
        bind="query-params",
        persist_state="session",
    )
    page.let_draw()
    if len(sources) < 2:
        page.nothing("compare.choose_sources")
        return
    _figures(page, sources)
    frames = {name: _histogram_of(page, sources, name) for name in (*LENGTHS, _SCORE)}
    columns = st.columns(2)
    for number, (name, frame) in enumerate((name, frame) for name, frame in frames.items() if not frame.empty):
        with columns[number % 2]:
            if name == _SCORE:
                _scores(page, sources, frame)
            else:
                _lengths(page, sources, name, frame)
    _words(page, sources)


def _histogram_of(page: Page, sources: Sequence[str], name: str) -> pd.DataFrame:
    if name == _SCORE:
        return _ask(page, SCORES, sources)
    table, counted, condition = LENGTHS[name]
    return _ask(page, HISTOGRAM.format(table=table, counted=counted), sources, condition)


def _ask(page: Page, sql: str, sources: Sequence[str], *conditions: str) -> pd.DataFrame:
    """Run a query on these sources and the filters of the page, as far as the table has their columns."""
    columns = ("source",) if sql in (KEPT, FACTS) else ("source", "split", "language")
    filters = replace(page.filters, source=tuple(sources))
    return replace(page, filters=filters).ask(sql, *conditions, columns=columns)


def _figures(page: Page, sources: Sequence[str]) -> None:
    """Show a row for each figure, and a column for each source."""
    t = page.texts
    numbers: dict[str, Mapping[str, float]] = {}
    rows = _ask(page, ROWS, sources)
    for config in ("dialogues", "pairs", "downstream"):
        numbers[t(f"config.{config}")] = rows[rows["config"] == config].set_index("source")["rows"].to_dict()
    for name in LENGTHS:
        frame = _histogram_of(page, sources, name)
        means, medians = {}, {}
        for source, part in frame.groupby("source"):
            means[str(source)] = float(np.average(part["value"], weights=part["count"]))
            half = part["count"].cumsum() >= part["count"].sum() / 2
            medians[str(source)] = float(part["value"][half].iloc[0])
        numbers[t(f"compare.{name}_mean")], numbers[t(f"compare.{name}_median")] = means, medians
    scores = _ask(page, SCORES, sources).groupby("source")[["count", "millionths"]].sum()
    numbers[t("compare.score")] = (scores["millionths"] / scores["count"] / 1e6).to_dict()
    names = _ask(page, NAMES, sources)
    for kind in ("domain", "intent"):
        numbers[t(f"compare.{kind}s")] = names[names["kind"] == kind].set_index("source")["names"].to_dict()
    numbers[t("compare.labels")] = _ask(page, LABELS, sources).set_index("source")["names"].to_dict()
    shares = {t("compare.kept"): _ask(page, KEPT, sources, "config != 'pairs'").set_index("source")["kept"].to_dict()}
    facts = _ask(page, FACTS, sources).set_index("source")
    words = {
        t("column.language"): _ask(page, LANGUAGES, sources).set_index("source")["text"].to_dict(),
        t("column.license"): facts["license"].dropna().to_dict(),
        t("column.origin"): facts["origin"].dropna().to_dict(),
    }
    lines = []
    for figure, values in numbers.items():
        if any(value == value and value for value in values.values()):
            line = {source: t.number(values.get(source), _decimals(values)) for source in sources}
            lines.append({"figure": figure, **line, "ratio": _ratio(page, values, sources)})
    for figure, values in shares.items():
        lines.append({"figure": figure, **{source: t.percent(values.get(source)) for source in sources}})
    for figure, texts in words.items():
        lines.append({"figure": figure, **{source: texts.get(source, "–") for source in sources}})
    frame = pd.DataFrame(lines).fillna("")
    columns = ["figure", *sources, *(["ratio"] if len(sources) == 2 else [])]
    page.table(
        t("compare.figures"),
        frame[columns],
        dict.fromkeys(columns, ""),
        config={name: st.column_config.TextColumn(name) for name in sources},
    )
    page.unfiltered(("source", "split", "language"))


def _decimals(values: Mapping[str, float]) -> int:
    if all(float(value).is_integer() for value in values.values() if value == value):
        return 0
    return 1 if max(values.values()) >= 2 else 2


def _ratio(page: Page, values: Mapping[str, float], sources: Sequence[str]) -> str:
    """How many times larger the second of two figures is."""
    first, second = (values.get(source, 0) for source in sources[:2])
    return f"× {page.texts.number(second / first, 2)}" if first and second else ""


def _lengths(page: Page, sources: Sequence[str], name: str, frame: pd.DataFrame) -> None:
    t = page.texts
    width, last = bin_width(frame["value"], frame["count"])
    bins = pd.concat(
        [
            binned(part, {"value": (width, last)}, "count").assign(source=source)
            for source, part in frame.groupby("source")
        ]
    )
    kind, measure = _BEHIND[name]

    def opens(bar: Mapping[str, Any]) -> Behind:
        low = bar["value"]
        length = between(low, None if low >= last else low + width - 1)
        return Behind(kind, (("source", str(bar["source"])), (measure, length)))

    has_tail = frame["value"].max() >= last + width
    note = t("lengths.tail", n=last) if has_tail else ""
    _histogram(page, t(f"compare.{name}"), frame, bins, width, sources, note, opens)


def _scores(page: Page, sources: Sequence[str], frame: pd.DataFrame) -> None:
    def opens(bar: Mapping[str, Any]) -> Behind:
        low = float(bar["value"])
        top = None if low >= 0.949 else round(low + 0.05, 2)
        return Behind("pairs", (("source", str(bar["source"])), ("score", between(round(low, 2), top))))

    _histogram(page, page.texts("compare.scores"), frame, frame, 0.05, sources, "", opens)


def _histogram(
    page: Page,
    title: str,
    frame: pd.DataFrame,
    bins: pd.DataFrame,
    width: float,
    sources: Sequence[str],
    note: str,
    opens: Any,
) -> None:
    t = page.texts
    # with the empty bins, at which the outline of a source goes down to zero
    ends = np.arange(round(bins["value"].min() / width), round(bins["value"].max() / width) + 2)
    every = pd.MultiIndex.from_product([bins["source"].unique(), ends], names=["source", "bin"])
    placed = bins.assign(bin=(bins["value"] / width).round().astype(int)).set_index(["source", "bin"])["count"]
    bins = placed.reindex(every, fill_value=0).reset_index()
    bins["value"] = bins["bin"] * width if width >= 1 else (bins["bin"] * width).round(2)
    whole = bins.groupby("source")["count"].transform("sum")
    titles = {"value": title, "share": t("compare.share"), "source": t("column.source"), "count": t("column.rows")}
    chart = overlaid(bins.assign(share=bins["count"] / whole), titles, list(sources), width=width)
    page.chart(title, frame, chart, note, opens)


@specification
def overlaid(frame: pd.DataFrame, titles: dict[str, str], names: list[str], *, width: float) -> alt.LayerChart:
    """Histograms of several sources in one picture, each in its colour, as shares of the source.

    Args:
        frame: Columns `source`, `value` (lower end of the bin), `share` and `count`.
        titles: Title of each column.
        names: Names of the sources, in the order of the palette.
        width: Width of a bin.
    """
    form = ",d" if width >= 1 else ".2f"
    clicked = alt.selection_point(name=CLICKED, fields=["source", "value"], toggle=False)
    x = alt.X("value:Q", title=titles["value"], axis=alt.Axis(format=form, grid=False, tickCount=8))
    y = alt.Y("share:Q", title=titles["share"], stack=None, axis=alt.Axis(format=".0%", tickCount=5))
    colour = alt.Color(
        "source:N",
        title=titles["source"],
        scale=alt.Scale(domain=names, range=PALETTE),
        legend=alt.Legend(orient="top", columns=3, symbolOpacity=1),
    )
    tips = [
        alt.Tooltip("source:N", title=titles["source"]),
        alt.Tooltip("value:Q", title=titles["value"], format=form),
        alt.Tooltip("share:Q", title=titles["share"], format=".1%"),
        alt.Tooltip("count:Q", title=titles["count"], format=","),
    ]
    body = alt.Chart(frame.assign(end=frame["value"] + width))
    bars = body.transform_filter("datum.count > 0").mark_bar(opacity=0.3, binSpacing=0)
    bars = bars.encode(x=x.bin("binned"), x2="end:Q", y=y, color=colour, tooltip=tips).add_params(clicked)
    outline = body.mark_line(interpolate="step-after", strokeWidth=2).encode(x=x, y=y, color=colour)
    return (bars + outline).properties(height=320)


def _words(page: Page, sources: Sequence[str]) -> None:
    """Show the words that each source has more often than the others; see `map.regions.telling_words`."""
    t = page.texts
    telling = telling_words(_ask(page, WORDS, sources))
    if telling.empty:
        return
    order = {source: place for place, source in enumerate(sources)}
    telling = telling.sort_values("source", key=lambda column: column.map(order), kind="stable")
    columns = {"source": "", "word": "", "share": "percent", "elsewhere": "percent"}
    title, note = t("compare.words"), t("compare.words_note")
    page.table(title, telling, columns, note, opens=by("turns", "source", "word"), height=360)


def telling_words(counts: pd.DataFrame) -> pd.DataFrame:
    """The words that tell each source apart from the others.

    Args:
        counts: Columns `source`, `word` and `occurrences`.

    Returns:
        `source`, `word`, `share` of the words of the source, and of the others (`elsewhere`); the most telling first.
    """
    here = counts.groupby("source")["occurrences"].transform("sum")
    everywhere = counts.groupby("word")["occurrences"].transform("sum")
    total = counts["occurrences"].sum()
    share = counts["occurrences"] / here
    elsewhere = (everywhere - counts["occurrences"]) / (total - here).where(total > here)
    table = counts.assign(share=share, elsewhere=elsewhere)
    table["telling"] = share * np.log(share / (everywhere / total))
    ranked = table[(share > 2 * elsewhere)].sort_values(["telling", "word"], ascending=[False, True])
    return ranked.groupby("source").head(_TELLING)[["source", "word", "share", "elsewhere"]].reset_index(drop=True)
