"""Intent figures as one table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Entries = Sequence[Mapping[str, Any]]


def intents_table(results: Entries, title: str) -> Table:
    """One row a source, language and kind of label; one column a figure, in percent, ± half its 95 % interval.

    Of the few-shot protocols the first sampler seed is shown, of out-of-scope detection the cosine to the nearest
    prototype; the JSON file holds all.
    """
    from rich.table import Table
    from rich.text import Text

    shown = [entry for entry in results if _column(entry)]
    columns = list(dict.fromkeys(_column(entry) for entry in shown))
    cells: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    removed: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for entry in shown:
        into = cells if entry["contaminated"] == "kept" else removed
        key = (entry["source"], entry["language"], entry["predicts"])
        into.setdefault(key, {}).setdefault(_column(entry), entry)
    table = Table("", title=Text(title))
    for column in columns:
        table.add_column(column, justify="right")
    for key, row in cells.items():
        source, language, predicts = key
        name = f"{source} {language}" + (f"\n[dim]{predicts}[/]" if predicts != "intent" else "")
        table.add_row(name, *(_cell(row.get(c), removed.get(key, {}).get(c)) for c in columns))
    table.caption = (
        "accuracy but where named, in percent; ±: half the 95 % interval (few-shot: over draws, clustering: over "
        "seeds, mean: over languages, else over test rows); below: without the test rows whose text stands in a "
        "training split"
    )
    return table


def _column(entry: Mapping[str, Any]) -> str:
    """The column of an entry; empty where the table does not show it."""
    protocol, metric = entry["protocol"], entry["metric"]
    if metric == "accuracy":
        return str(protocol)
    if metric in ("auroc", "fpr95") and entry["settings"]["detector"] == "max_cosine":
        return f"{protocol}\n{metric.upper()}"
    return f"{protocol}\nV" if metric == "v_measure" else ""


def _cell(entry: Mapping[str, Any] | None, removed: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    low, high = entry["ci95"] or (entry["value"], entry["value"])
    below = f"\n[dim]{100 * removed['value']:.2f}[/]" if removed is not None else ""
    return f"{100 * entry['value']:.2f}[dim]±{50 * (high - low):.1f}[/]{below}"
