"""Tab Pairs: number, lengths and quality scores of the pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import Behind, between, by
from dataset_builders.dashboard.choices import switch
from dataset_builders.dashboard.lengths import bin_width, binned, length_chart
from dataset_builders.dashboard.words import show_words, words_of

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

TOTALS = """
SELECT source, split, side, measure, sum(pairs)::BIGINT AS pairs, sum(value * pairs)::BIGINT AS total
FROM pair_histograms {where} GROUP BY ALL ORDER BY ALL
"""

QUESTION_ANSWER = """
SELECT coalesce(sum(pairs) FILTER (is_question_answer), 0)::BIGINT AS pairs FROM pair_lengths {where}
"""

DISTINCT = """
SELECT coalesce(sum(answers), 0)::BIGINT AS answers
FROM (SELECT DISTINCT place_set, answers FROM answer_places {where})
"""

HAS_PLACES = "SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = 'answer_places'"
"""Whether the database has the table; one of an older version has not, and counts one answer after the other."""

COUNTED = "SELECT count(DISTINCT answer_id) AS answers FROM pairs {where}"

LENGTHS = "SELECT value, sum(pairs)::BIGINT AS pairs FROM pair_histograms {where} GROUP BY ALL ORDER BY ALL"

JOINT = """
SELECT anchor_words, positive_words, sum(pairs)::BIGINT AS pairs FROM pair_lengths {where} GROUP BY ALL ORDER BY ALL
"""

LANGUAGES = """
SELECT language, split, sum(rows)::BIGINT AS pairs FROM row_counts {where} GROUP BY ALL ORDER BY ALL
"""

SCORES = "SELECT score, sum(pairs)::BIGINT AS pairs FROM score_counts {where} GROUP BY ALL ORDER BY ALL"


def show(page: Page) -> None:
    """Draw the tab."""
    t, ask = page.texts, page.ask
    totals = ask(TOTALS)
    if totals.empty:
        page.nothing("pairs.none")
        return
    whole = means(totals.assign(source="")).iloc[0]
    answers = ask(DISTINCT if page.store.only(None).value(HAS_PLACES) else COUNTED)
    page.figures(
        {
            t("pairs.count"): t.number(whole["pairs"]),
            t("pairs.question_answer"): t.number(ask(QUESTION_ANSWER).iat[0, 0]),
            t("pairs.distinct_answers"): t.number(answers.iat[0, 0]),
            t("pairs.anchor_words"): t.number(whole["anchor_words"], 1),
            t("pairs.positive_words"): t.number(whole["positive_words"], 1),
            t("pairs.anchor_characters"): t.number(whole["anchor_characters"], 1),
            t("pairs.positive_characters"): t.number(whole["positive_characters"], 1),
        },
        {
            t("pairs.question_answer"): t("pairs.question_answer_help"),
            t("pairs.distinct_answers"): t("pairs.distinct_help"),
        },
    )
    titles = {name: t(f"column.{name}") for name in ("source", "split", "language", "pairs", "score")}
    counts = totals[(totals["measure"] == "words") & (totals["side"] == "anchor")]
    counts = counts[["source", "split", "pairs"]]
    left, right = st.columns(2)
    with left:
        chart = charts.bars(counts, "source", "pairs", titles, split="split")
        page.chart(t("pairs.by_source"), counts, chart, t("page.click"), by("pairs", "source", "split"))
        splits = counts.groupby("split", as_index=False)["pairs"].sum()
        chart = charts.split_bars(splits, "pairs", titles)
        page.chart(t("pairs.by_split"), splits, chart, opens=by("pairs", "split"))
    with right:
        languages = ask(LANGUAGES, "config = 'pairs'")
        chart = charts.bars(languages, "language", "pairs", titles, split="split")
        page.chart(t("pairs.by_language"), languages, chart, opens=by("pairs", "language", "split"))
        scores = ask(SCORES)
        if not scores.empty:
            chart = charts.histogram(scores, "score", "pairs", titles, width=0.05, form=".1f")
            page.chart(t("pairs.by_score"), scores, chart, t("pairs.score_note"), _of_score)
    unit = page.unit()
    left, right = st.columns(2)
    for column, side, colour in ((left, "anchor", charts.BLUE), (right, "positive", charts.GREEN)):
        with column:
            lengths = ask(LENGTHS, f"measure = '{unit}'", f"side = '{side}'")
            title, rows = t(f"pairs.by_{side}_length"), ("pairs", f"{side}_{unit}")
            length_chart(page, title, lengths, "pairs", t(f"unit.{unit}"), rows, colour)
    _joint(page)
    columns = {f"{side}_{unit}": "%.1f" for unit in ("words", "characters") for side in ("anchor", "positive")}
    page.table(
        t("pairs.per_source"),
        means(totals),
        {"source": "", "pairs": "localized", **columns},
        opens=by("pairs", "source"),
    )
    show_words(page, words_of(page, "dialogues"), "turns")
    st.caption(t("pairs.words_note"))


def _of_score(bar: Mapping[str, Any]) -> Behind:
    low = round(bar["score"], 2)
    return Behind("pairs", (("score", between(low, None if low >= 0.95 else round(low + 0.05, 2))),))


def means(totals: pd.DataFrame) -> pd.DataFrame:
    """Number of pairs and mean lengths of anchor and positive, by source.

    Args:
        totals: Result of `TOTALS`.
    """
    sums = totals.groupby(["source", "side", "measure"], as_index=False)[["pairs", "total"]].sum()
    sums["mean"] = sums["total"] / sums["pairs"]
    wide = sums.pivot(index="source", columns=["side", "measure"], values="mean")
    wide.columns = [f"{side}_{unit}" for side, unit in wide.columns]
    pairs = sums[(sums["side"] == "anchor") & (sums["measure"] == "words")].set_index("source")["pairs"]
    return wide.assign(pairs=pairs).reset_index()


def _joint(page: Page) -> None:
    """Show the joint distribution of both lengths."""
    t = page.texts
    lengths = page.ask(JOINT)
    kind = switch("joint", {kind: t(f"pairs.{kind}") for kind in ("fields", "points")}, t("pairs.joint_kind"))
    names = ("anchor_words", "positive_words")
    bins = {name: bin_width(lengths[name], lengths["pairs"]) for name in names}
    titles = {name: t(f"column.{name}") for name in (*names, "pairs")}

    def opens(field: Mapping[str, Any]) -> Behind:
        """The pairs of a field, or of a point, which is as wide as one word."""
        ends = {name: (field[name], *(bins[name] if kind == "fields" else (1, math.inf))) for name in names}
        ranges = {n: between(low, None if low >= last else low + width - 1) for n, (low, width, last) in ends.items()}
        return Behind("pairs", tuple(ranges.items()))

    if kind == "fields":
        widths = {name: width for name, (width, _) in bins.items()}
        chart = charts.joint(binned(lengths, bins, "pairs"), *names, "pairs", titles, widths=widths)
    else:
        inside = [lengths[name] <= last for name, (_, last) in bins.items()]
        chart = charts.scatter(lengths[inside[0] & inside[1]], *names, "pairs", titles)
    note = t(f"pairs.{kind}_note", first=bins["anchor_words"][1], second=bins["positive_words"][1])
    page.chart(t("pairs.joint"), lengths, chart, note, opens)
