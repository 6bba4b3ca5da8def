"""Tab Dialogs: number, length and origin of the dialogues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import NO_DOMAIN, Behind, by
from dataset_builders.dashboard.lengths import length_chart
from dataset_builders.dashboard.words import show_words, words_of

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

TOTALS = """
SELECT source, split, measure, sum(dialogues)::BIGINT AS dialogues, sum(value * dialogues)::BIGINT AS total
FROM dialogue_histograms {where} GROUP BY ALL ORDER BY ALL
"""

LENGTHS = "SELECT value, sum(dialogues)::BIGINT AS dialogues FROM dialogue_histograms {where} GROUP BY ALL ORDER BY ALL"

UTTERANCES = """
SELECT value, sum(utterances)::BIGINT AS utterances FROM utterance_histograms {where} GROUP BY ALL ORDER BY ALL
"""

LANGUAGES = """
SELECT language, split, sum(rows)::BIGINT AS dialogues FROM row_counts {where} GROUP BY ALL ORDER BY ALL
"""

DOMAINS = """
SELECT name AS domain, sum(dialogues)::BIGINT AS dialogues FROM domain_counts {where}
GROUP BY ALL ORDER BY dialogues DESC, domain LIMIT 25
"""

WITHOUT_DOMAIN = "SELECT count(*)::BIGINT AS dialogues FROM dialogs {where}"

ANNOTATIONS = """
SELECT source, origin, acts, slots, state, domains FROM sources {where} ORDER BY source
"""

HAS_ANNOTATIONS = "SELECT count(*) > 0 FROM duckdb_columns() WHERE table_name = 'sources' AND column_name = 'acts'"
"""Whether the database counts annotations; one of an older version does not."""


def show(page: Page) -> None:
    """Draw the tab."""
    t, ask = page.texts, page.ask
    totals = ask(TOTALS)
    if totals.empty:
        page.nothing("dialogs.none")
        return
    by_source = means(totals)
    whole = means(totals.assign(source="")).iloc[0]
    page.figures(
        {
            t("dialogs.count"): t.number(whole["dialogues"]),
            t("dialogs.utterances"): t.number(whole["utterances"]),
            t("dialogs.turns_mean"): t.number(whole["turns_per_dialogue"], 1),
            t("dialogs.words_per_utterance"): t.number(whole["words_per_utterance"], 1),
            t("dialogs.characters_per_utterance"): t.number(whole["characters_per_utterance"], 1),
            t("dialogs.words_per_dialogue"): t.number(whole["words_per_dialogue"], 1),
            t("dialogs.characters_per_dialogue"): t.number(whole["characters_per_dialogue"], 1),
        }
    )
    titles = {
        name: t(f"column.{name}") for name in ("source", "split", "language", "dialogues", "utterances", "domain")
    }
    counts = totals[totals["measure"] == "turns"].drop(columns=["measure", "total"])
    left, right = st.columns(2)
    with left:
        chart = charts.bars(counts, "source", "dialogues", titles, split="split")
        page.chart(t("dialogs.by_source"), counts, chart, t("page.click"), by("dialogues", "source", "split"))
        splits = counts.groupby("split", as_index=False)["dialogues"].sum()
        chart = charts.split_bars(splits, "dialogues", titles)
        page.chart(t("dialogs.by_split"), splits, chart, opens=by("dialogues", "split"))
        languages = ask(LANGUAGES, "config = 'dialogues'")
        chart = charts.bars(languages, "language", "dialogues", titles, split="split")
        page.chart(t("dialogs.by_language"), languages, chart, opens=by("dialogues", "language", "split"))
    with right:
        _domains(page, titles)
    unit = page.unit()
    left, middle, right = st.columns(3)
    with left:
        turns = ask(LENGTHS, "measure = 'turns'")
        length_chart(page, t("dialogs.by_turns"), turns, "dialogues", t("unit.turns"), ("dialogues", "turns"))
    with middle:
        lengths = ask(LENGTHS, f"measure = '{unit}'")
        length_chart(page, t("dialogs.by_length"), lengths, "dialogues", t(f"unit.{unit}"), ("dialogues", unit))
    with right:
        utterances = ask(UTTERANCES, f"measure = '{unit}'")
        title = t("dialogs.by_utterance_length")
        length_chart(page, title, utterances, "utterances", t(f"unit.{unit}"), ("turns", unit))
    page.table(
        t("dialogs.per_source"),
        by_source,
        {
            "source": "",
            "dialogues": "localized",
            "utterances": "localized",
            **{f"{unit}_per_{of}": "%.1f" for of in ("utterance", "dialogue") for unit in ("words", "characters")},
            "turns_per_dialogue": "%.1f",
        },
        opens=by("dialogues", "source"),
    )
    where = ("kind = 'dialogues'", "acts IS NOT NULL")
    annotations = ask(ANNOTATIONS, *where, columns=("source",)) if page.store.value(HAS_ANNOTATIONS) else None
    if annotations is not None and not annotations.empty:
        shares = dict.fromkeys(("acts", "slots", "state", "domains"), "percent")
        page.table(
            t("dialogs.annotations"), annotations, {"source": "", "origin": "", **shares}, t("dialogs.annotations_note")
        )
    show_words(page, words_of(page, "dialogues"), "turns")


def _domains(page: Page, titles: dict[str, str]) -> None:
    """Show the dialogues by domain, also those that name none."""
    t = page.texts
    domains = page.ask(DOMAINS, "kind = 'domain'")
    if domains.empty:
        return
    nameless, count = t("dialogs.no_domain"), int(page.ask(WITHOUT_DOMAIN, "len(coalesce(domains, [])) = 0").iat[0, 0])
    if count:
        domains = pd.concat([domains, pd.DataFrame({"domain": [nameless], "dialogues": [count]})], ignore_index=True)

    def opens(bar: Mapping[str, Any]) -> Behind:
        return Behind("dialogues", (("domain", NO_DOMAIN if bar["domain"] == nameless else bar["domain"]),))

    page.chart(t("dialogs.by_domain"), domains, charts.bars(domains, "domain", "dialogues", titles), opens=opens)


def means(totals: pd.DataFrame) -> pd.DataFrame:
    """Size and mean lengths by source.

    Args:
        totals: Result of `TOTALS`.
    """
    sums = totals.groupby(["source", "measure"], as_index=False)[["dialogues", "total"]].sum()
    wide = sums.pivot(index="source", columns="measure", values="total")
    dialogues = sums[sums["measure"] == "turns"].set_index("source")["dialogues"]
    result = wide.assign(dialogues=dialogues, utterances=wide["turns"], turns_per_dialogue=wide["turns"] / dialogues)
    for unit in ("words", "characters"):
        result[f"{unit}_per_utterance"] = wide[unit] / wide["turns"]
        result[f"{unit}_per_dialogue"] = wide[unit] / dialogues
    return result.drop(columns=["turns", "words", "characters"]).reset_index()
