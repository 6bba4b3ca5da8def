"""Intent figures as one table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Entries = Sequence[Mapping[str, Any]]

NOTE = (
    "Accuracy or what is named, in percent. ±: half the 95 % interval (few-shot: over draws, clustering: over seeds, "
    "mean: over languages, else over test rows). Third line: without the test rows whose text stands in an official "
    "training split."
)
"""What a reader of the table has to know."""


def intents_table(results: Entries, title: str) -> Table:
    """One row a source, language and kind of label; one column a figure, in percent.

    Below each figure half its 95 % interval, and the figure without the contaminated test rows. Of the few-shot
    protocols the first sampler seed is shown, of out-of-scope detection the cosine to the nearest prototype; the JSON
    file holds all.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows: dict[tuple[str, str, str], dict[tuple[str, str], Mapping[str, Any]]] = {}
    for entry in results:
        if column := _column(entry):
            row = rows.setdefault((entry["source"], entry["language"], entry["predicts"]), {})
            row.setdefault((column, entry["contaminated"]), entry)
    columns = list(dict.fromkeys(column for row in rows.values() for column, _ in row))
    table = Table("", title=Text(title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for (source, language, predicts), row in rows.items():
        name = "\n".join([source, f"[dim]{language}[/]", *([f"[dim]{predicts}[/]"] if predicts != "intent" else [])])
        table.add_row(name, *(_cell(row.get((c, "kept")), row.get((c, "removed"))) for c in columns))
    return table


def _column(entry: Mapping[str, Any]) -> str:
    """The column of an entry; empty where the table does not show it."""
    protocol, metric = entry["protocol"], entry["metric"]
    if metric == "accuracy":
        return str(protocol)
    if metric in ("auroc", "fpr95") and entry["settings"]["detector"] == "max_cosine":
        return f"{protocol}\n{metric.upper()}"
    return "cluster\nV" if metric == "v_measure" else ""


def _cell(entry: Mapping[str, Any] | None, removed: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    lines = [f"{100 * entry['value']:.2f}"]
    if entry["ci95"]:
        low, high = entry["ci95"]
        lines.append(f"[dim]±{50 * (high - low):.2f}[/]")
    if removed is not None:
        lines.append(f"[dim]{100 * removed['value']:.2f}[/]")
    return "\n".join(lines)
