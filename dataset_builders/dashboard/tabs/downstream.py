"""Tab Downstream: the intent sets, their labels and languages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import by
from dataset_builders.dashboard.lengths import length_chart
from dataset_builders.dashboard.words import show_words, words_of

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

TOTALS = """
SELECT
    source, split, language, sum(rows)::BIGINT AS rows,
    coalesce(sum(rows) FILTER (is_out_of_scope), 0)::BIGINT AS out_of_scope,
    sum(words)::BIGINT AS words, sum(characters)::BIGINT AS characters
FROM label_counts {where} GROUP BY source, split, language ORDER BY source, split, language
"""

LABELS = """
SELECT source, label, any_value(scenario) AS scenario, sum(rows)::BIGINT AS rows
FROM (SELECT source, scenario, rows, unnest(labels) AS label FROM label_counts {where})
GROUP BY source, label ORDER BY rows DESC, label
"""

LENGTHS = "SELECT value, sum(rows)::BIGINT AS rows FROM downstream_histograms {where} GROUP BY ALL ORDER BY ALL"

_LABELS = 30
"""Maximum number of labels in a chart; more would not be readable."""


def show(page: Page) -> None:
    """Draw the tab."""
    t, ask = page.texts, page.ask
    totals, labels = ask(TOTALS), ask(LABELS)
    if totals.empty:
        page.nothing("downstream.none")
        return
    rows = int(totals["rows"].sum())
    page.figures(
        {
            t("downstream.count"): t.number(rows),
            t("downstream.labels"): t.number(len(labels)),
            t("downstream.languages"): t.number(totals["language"].nunique()),
            t("downstream.out_of_scope"): t.number(totals["out_of_scope"].sum()),
            t("downstream.words_per_utterance"): t.number(totals["words"].sum() / rows, 1),
            t("downstream.characters_per_utterance"): t.number(totals["characters"].sum() / rows, 1),
            t("downstream.class_balance"): t.number(balance(labels["rows"]), 3),
        },
        {t("downstream.class_balance"): t("downstream.class_balance_help")},
    )
    titles = {name: t(f"column.{name}") for name in ("source", "split", "language", "rows", "label")}
    left, right = st.columns(2)
    with left:
        chart = charts.bars(totals, "source", "rows", titles, split="split")
        page.chart(t("downstream.by_source"), totals, chart, t("page.click"), by("downstream", "source", "split"))
        splits = totals.groupby("split", as_index=False)["rows"].sum()
        chart = charts.split_bars(splits, "rows", titles)
        page.chart(t("downstream.by_split"), splits, chart, opens=by("downstream", "split"))
    with right:
        chart = charts.bars(totals, "language", "rows", titles, split="split")
        page.chart(t("downstream.language_by_split"), totals, chart, opens=by("downstream", "language", "split"))
    _labels(page, labels, titles)
    unit = page.unit()
    lengths = ask(LENGTHS, f"measure = '{unit}'")
    length_chart(page, t("downstream.by_length"), lengths, "rows", t(f"unit.{unit}"), ("downstream", unit))
    page.table(
        t("downstream.per_source"),
        per_source(totals, labels),
        {
            "source": "",
            **dict.fromkeys(("rows", "labels", "languages", "out_of_scope"), "localized"),
            **dict.fromkeys(("smallest_label", "largest_label"), "localized"),
            "class_balance": "%.3f",
            "words_per_utterance": "%.1f",
        },
        t("downstream.class_balance_help"),
        opens=by("downstream", "source"),
    )
    show_words(page, words_of(page, "downstream"), "downstream")


def _labels(page: Page, labels: pd.DataFrame, titles: dict[str, str]) -> None:
    """Show the most and the least frequent labels."""
    t = page.texts
    left, right = st.columns(2)
    with left:
        top = labels.head(_LABELS)
        title = t("downstream.largest", n=len(top), all=len(labels))
        chart = charts.bars(top, "label", "rows", titles, colour=charts.GREEN)
        page.chart(title, labels, chart, opens=by("downstream", "label"))
    if len(labels) > _LABELS:
        with right:
            bottom = labels.tail(min(_LABELS, len(labels) - _LABELS))
            title = t("downstream.smallest", n=len(bottom), all=len(labels))
            chart = charts.bars(bottom, "label", "rows", titles, ascending=True, colour=charts.VERMILION)
            page.chart(title, bottom, chart, opens=by("downstream", "label"))


def per_source(totals: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Size, labels and class balance of each intent set.

    Args:
        totals: Result of `TOTALS`.
        labels: Result of `LABELS`.
    """
    grouped = totals.groupby("source")
    result = grouped[["rows", "out_of_scope"]].sum()
    result["words_per_utterance"] = grouped["words"].sum() / result["rows"]
    result["languages"] = grouped["language"].nunique()
    counts = {"labels": "count", "smallest_label": "min", "largest_label": "max", "class_balance": balance}
    return result.join(labels.groupby("source")["rows"].agg(**counts)).reset_index()


def balance(rows: pd.Series) -> float | None:
    """Class balance: entropy of the labels / its maximum, 1 if all are equally frequent; None for a single label.

    Args:
        rows: Number of rows of each label.
    """
    if len(rows) < 2:
        return None
    shares = rows / rows.sum()
    return float(-sum(share * math.log(share) for share in shares) / math.log(len(rows)))
