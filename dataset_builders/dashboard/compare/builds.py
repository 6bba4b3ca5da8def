"""Two builds of a dataset: which rows came, went, moved to another split or changed, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from dataset_builders.dashboard.page import plain
from dataset_builders.dashboard.reasons import explained

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

_TABLES = {
    "dialogues": ("dialogs", "dialogue_id", "dialog_text", "dialogue_id"),
    "pairs": ("pairs", "pair_id", "concat(anchor, ' → ', positive)", "dialogue_id"),
    "downstream": ("downstream", "utterance_id", "concat(utterance, ' → ', label)", "NULL"),
}
"""Table of each config, its id, its text, and the dialogue of a row."""

_CHANGED = """
SELECT
    '{config}' AS config, coalesce(here.id, there.id) AS row_id, coalesce(here.source, there.source) AS source,
    there.split AS split_before, here.split AS split,
    coalesce(here.dialogue_id, there.dialogue_id) AS dialogue_id,
    there.text AS text_before, here.text AS text,
    CASE
        WHEN there.id IS NULL THEN 'came' WHEN here.id IS NULL THEN 'went'
        WHEN here.text != there.text THEN 'changed' ELSE 'moved'
    END AS change
FROM ({here}) AS here FULL JOIN ({there}) AS there USING (id)
WHERE here.id IS NULL OR there.id IS NULL OR here.text != there.text OR here.split != there.split
"""

_SIDE = "SELECT {id} AS id, source, split, {text} AS text, {dialogue} AS dialogue_id FROM {place}.{table}"

_CLUSTERS = "SELECT dialogue_id, any_value(cluster_id) AS cluster FROM {place}.clusters GROUP BY dialogue_id"

_DROPS = """
SELECT config, row_id, min("filter") AS reason, any_value("value") AS "value" FROM {place}.drops GROUP BY ALL
"""

EVERY = """
WITH changed AS ({changed}),
dropped_here AS ({drops_here}), dropped_there AS ({drops_there}),
clusters_here AS ({clusters_here}), clusters_there AS ({clusters_there})
SELECT
    changed.*, coalesce(dropped_here."value", dropped_there."value") AS "value",
    CASE change
        WHEN 'went' THEN coalesce(
            dropped_here.reason, 'dialogue:' || whole_here.reason,
            CASE WHEN source NOT IN (SELECT source FROM {this}.sources) THEN 'source_left' END, 'not_in_data')
        WHEN 'came' THEN coalesce(
            'kept:' || dropped_there.reason, 'kept:dialogue:' || whole_there.reason,
            CASE WHEN source NOT IN (SELECT source FROM other.main.sources) THEN 'source_new' END, 'new_in_data')
        WHEN 'moved' THEN CASE
            WHEN clusters_here.cluster IS DISTINCT FROM clusters_there.cluster THEN 'cluster'
            WHEN clusters_here.cluster IS NOT NULL THEN 'same_cluster' ELSE 'policy' END
        ELSE 'text'
    END AS reason
FROM changed
LEFT JOIN dropped_here USING (config, row_id)
LEFT JOIN dropped_there USING (config, row_id)
LEFT JOIN (SELECT row_id, reason FROM dropped_here WHERE config = 'dialogues') AS whole_here
    ON whole_here.row_id = dialogue_id AND changed.config = 'pairs'
LEFT JOIN (SELECT row_id, reason FROM dropped_there WHERE config = 'dialogues') AS whole_there
    ON whole_there.row_id = dialogue_id AND changed.config = 'pairs'
LEFT JOIN clusters_here ON clusters_here.dialogue_id = changed.dialogue_id
LEFT JOIN clusters_there ON clusters_there.dialogue_id = changed.dialogue_id
"""

COUNTS = """
SELECT change, config, source, reason, count(*) AS rows FROM ({every})
GROUP BY ALL ORDER BY rows DESC, change, config, source, reason
"""

RUNS = """
SELECT package_version, dataset_fingerprint, options, dataset_written FROM {place}.runs ORDER BY run DESC LIMIT 1
"""

SIZES = """
SELECT config, sum(rows)::BIGINT AS rows FROM {place}.row_counts GROUP BY config
"""

CHANGES = ("came", "went", "moved", "changed")

_ROWS = 100
"""Number of rows that are shown of a change; the download has all."""


def every_change(this: str) -> str:
    """SQL of the rows that differ between a database and one that is attached as `other`.

    Args:
        this: Name of the database that is open.
    """
    changed = []
    for config, (table, name, text, dialogue) in _TABLES.items():
        parts = {"id": name, "text": text, "dialogue": dialogue, "table": table}
        here, there = (_SIDE.format(place=place, **parts) for place in (this, "other.main"))
        changed.append(_CHANGED.format(config=config, here=here, there=there))
    return EVERY.format(
        changed=" UNION ALL ".join(changed),
        this=this,
        drops_here=_DROPS.format(place=this),
        drops_there=_DROPS.format(place="other.main"),
        clusters_here=_CLUSTERS.format(place=this),
        clusters_there=_CLUSTERS.format(place="other.main"),
    )


def show_builds(page: Page) -> None:
    """Draw the comparison of this dataset with an earlier or other build of it."""
    t = page.texts
    other = page.settings.compared
    if not other:
        page.nothing("compare.no_build")
        return
    counts = page.store.beside(other, COUNTS.format(every=every_change("{this}")))
    _options(page, other)
    sizes = {
        place: page.store.beside(other, SIZES.format(place=place)).set_index("config")["rows"].to_dict()
        for place in ("{this}", "other.main")
    }
    lines = [
        {
            "kind": t(f"config.{config}"),
            "was": sizes["other.main"].get(config, 0),
            "is_now": sizes["{this}"].get(config, 0),
            **{name: int(_of(counts, change=name, config=config)["rows"].sum()) for name in CHANGES},
        }
        for config in _TABLES
    ]
    columns = {"kind": "", **dict.fromkeys(("was", "is_now", *CHANGES), "localized")}
    page.table(t("compare.build_figures"), pd.DataFrame(lines), columns, t("compare.build_note"))
    if counts.empty:
        page.nothing("compare.same")
        return
    _why(page, other, counts)


def _of(counts: pd.DataFrame, **values: str) -> pd.DataFrame:
    for name, value in values.items():
        counts = counts[counts[name] == value]
    return counts


def _options(page: Page, other: str) -> None:
    """Show when and with what both were built, as far as it differs."""
    t = page.texts
    runs = [page.store.beside(other, RUNS.format(place=place)).iloc[0] for place in ("other.main", "{this}")]
    options = [_flat(json.loads(run["options"] or "{}") or {}) for run in runs]
    lines = [
        {"option": t(f"compare.{name}"), "was": str(runs[0][name]), "is_now": str(runs[1][name])}
        for name in ("dataset_fingerprint", "package_version", "dataset_written")
        if runs[0][name] != runs[1][name]
    ]
    lines += [
        {"option": name, "was": options[0].get(name, "–"), "is_now": options[1].get(name, "–")}
        for name in sorted({*options[0], *options[1]})
        if options[0].get(name) != options[1].get(name)
    ]
    if lines:
        page.table(t("compare.options"), pd.DataFrame(lines), dict.fromkeys(("option", "was", "is_now"), ""))


def _flat(options: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in options.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = json.dumps(value, ensure_ascii=False)
    return flat


def reason_text(page: Page, reason: str) -> str:
    """Why a row came, went or moved, in a sentence."""
    t = page.texts
    before, name = "", reason
    for prefix in ("kept:", "dialogue:"):
        if name.startswith(prefix):
            before += t(f"compare.reason_{prefix[:-1]}") + " "
            name = name.removeprefix(prefix)
    key = f"compare.reason_{name}"
    return (before + (t(key) if key in t.entries else f"{name}. {explained(name, t)}")).strip()


def _why(page: Page, other: str, counts: pd.DataFrame) -> None:
    """Show the changes by reason, and the rows of the one that the visitor chooses."""
    t = page.texts
    shown = counts.assign(
        kind=counts["config"].map(lambda config: t(f"config.{config}")),
        what=counts["change"].map(lambda change: t(f"column.{change}")),
        why=counts["reason"].map(lambda reason: reason_text(page, reason)),
    )
    state = page.table(
        t("compare.why"),
        shown,
        {"what": "", "kind": "", "source": "", "rows": "localized", "why": ""},
        t("compare.choose_change"),
        height=min(38 + 35 * len(shown), 360),
        on_select="rerun",
        selection_mode="single-row",
        key="changes",
    )
    if not state.selection.rows:
        return
    selected = counts.iloc[state.selection.rows[0]]
    query = (
        f"SELECT * FROM ({every_change('{this}')}) "
        "WHERE change = ? AND config = ? AND source = ? AND reason = ? ORDER BY row_id"
    )
    parameters = [str(selected[name]) for name in ("change", "config", "source", "reason")]
    rows = page.store.beside(other, f"{query} LIMIT {_ROWS}", parameters)
    names = ("text", "text_before") if selected["change"] == "changed" else ("text",)
    cut = rows.assign(text=rows["text"].fillna(rows["text_before"]))
    cut = cut.assign(**{name: cut[name].str.slice(0, 300) for name in names})
    columns = dict.fromkeys((*names, "split_before", "split", "value", "row_id"), "")
    title = t("compare.changed_rows", n=len(rows), all=int(selected["rows"]), what=t(f"column.{selected['change']}"))
    st.caption(plain(reason_text(page, str(selected["reason"]))))
    page.table(title, cut, columns, height=min(38 + 35 * len(cut), 360))
