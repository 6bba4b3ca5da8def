"""Tab Licences: the redistributable share, and the terms of each source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import Behind
from dataset_builders.licenses import get_license
from dataset_builders.schema import CONFIGS

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

ROWS = """
SELECT config, license, redistributable, sum(rows)::BIGINT AS rows FROM row_counts {where}
GROUP BY ALL ORDER BY rows DESC, license
"""

SOURCES = """
SELECT
    source, title, license, redistributable, commercial_use, license_disputed, license_evidence, config, homepage,
    citation, notes
FROM sources {where} ORDER BY source
"""


def show(page: Page) -> None:
    """Draw the tab."""
    t = page.texts
    rows = page.ask(ROWS)
    if rows.empty:
        page.nothing("licences.none")
        return
    shares = {}
    for config in CONFIGS:
        of_kind = rows[rows["config"] == config]
        if not of_kind.empty:
            share = of_kind[of_kind["redistributable"]]["rows"].sum() / of_kind["rows"].sum()
            shares[t("licences.share", config=t(f"config.{config}"))] = t.percent(share)
    page.figures(shares)
    titles = {"license": t("column.license"), "rows": t("column.rows"), "may": t("column.redistributable")}
    answers = {True: t("licences.yes"), False: t("licences.no")}
    rows = rows.assign(may=rows["redistributable"].map(answers))
    colours = {answers[True]: charts.BLUE, answers[False]: charts.ORANGE}
    for column, config in zip(st.columns(len(CONFIGS)), CONFIGS, strict=True):
        part = rows[rows["config"] == config]
        if not part.empty:
            with column:
                part = part.assign(license=part["license"].replace("unknown", t("licences.unknown")))
                chart = charts.bars(part, "license", "rows", titles, split="may", colours=colours)
                title = t("licences.rows_of", config=t(f"config.{config}"))
                page.chart(title, part, chart, opens=partial(_behind, config, t("licences.unknown")))
    sources = page.ask(SOURCES, columns=("source",))
    licenses = sources["license"].map(get_license)
    sources = sources.assign(
        attribution=licenses.map(lambda license: license.attribution),
        share_alike=licenses.map(lambda license: license.share_alike),
        homepage=sources["homepage"].where(sources["homepage"].str.match("https?://", na=False)),
        commercial_use=sources["commercial_use"].map(lambda answer: t(f"licences.{answer}")),
    )
    sources["license"] = sources["license"].replace("unknown", t("licences.unknown"))
    links = {"homepage": st.column_config.LinkColumn(t("column.homepage"))}
    names = ("source", "license", "redistributable", "commercial_use", "attribution", "share_alike")
    more = ("license_disputed", "license_evidence", "homepage", "config", "notes", "title", "citation")
    page.table(t("licences.sources"), sources, dict.fromkeys((*names, *more), ""), t("licences.note"), config=links)


def _behind(config: str, unknown: str, bar: Mapping[str, Any]) -> Behind:
    """The rows of a bar, which has the word for an unknown licence in the language of the page."""
    return Behind(config, (("license", "unknown" if bar["license"] == unknown else bar["license"]),))
