"""Tables of intent results: one encoder on the terminal, several encoders as Markdown for the READMEs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Entries = Sequence[Mapping[str, Any]]

NOTE = (
    "Accuracy or the named metric, in percent. ± half the 95 % interval (few-shot: over draws, clustering: over seeds, "
    "mean: over languages, otherwise over test rows). Third line: without the test rows whose text also occurs in an "
    "official training split."
)
"""Legend of `intents_table`."""

_ACCURACIES = {
    "mteb": "8-shot (MTEB)",
    "5-shot": "5-shot",
    "10-shot": "10-shot",
    "knn": "kNN",
    "prototype": "prototype",
    "linear": "linear",
}
_DETECTORS = ("max_cosine", "max_softmax", "max_logit")

Published = Mapping[tuple[str, str, str], float]
"""(Encoder, source, kind of label) -> published accuracy by MTEB's protocol, in percent."""


def intents_table(results: Entries, title: str) -> Table:
    """Return a table with a row for each source, language and kind of label, and figures in percent.

    Below each figure are half its 95 % interval and the figure without the contaminated test rows. The table shows the
    first sampler seed of the few-shot protocols, and detection of out-of-scope utterances by the cosine to the nearest
    prototype. The JSON file has all figures.
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


def left_out_lines(left_out: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each source and reason: the languages and the number of rows that are in no task."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for rows in left_out:
        groups.setdefault((rows["source"], rows["reason"]), []).append(rows)
    for (source, reason), group in groups.items():
        count = sum(sum(rows["rows"].values()) for rows in group)
        languages = ", ".join(rows["language"] for rows in group)
        yield f"{source} ({languages}): {count:,} rows left out ({reason})"


def _column(entry: Mapping[str, Any]) -> str:
    """Return the column of an entry, or an empty string if the table does not show it."""
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


def markdown_table(outputs: Sequence[Mapping[str, Any]], published: Published | None = None) -> str:
    """Return a Markdown table with a row for each source, kind of label and encoder.

    It shows accuracy by each protocol, V-measure of the clusters, and out-of-scope AUROC by cosine, softmax and logit,
    in percent and over all test rows.

    Args:
        outputs: JSON objects of `dialogue-cube evaluate intents`, one for each encoder.
        published: Published figures, added in brackets.
    """
    heads = ["", "encoder", *_ACCURACIES.values(), "clusters, V", "out of scope, AUROC"]
    rows = [heads, ["---", "---", *["---:"] * (len(heads) - 2)]]
    tasks = dict.fromkeys(_task(row) for output in outputs for row in output["results"])
    for task in tasks:
        for output in outputs:
            name = output["encoder"]["name"]
            values = {_key(row): row["value"] for row in output["results"] if _task(row) == task and _shown(row)}
            accuracies = [_percent(values.get((protocol, "accuracy", None))) for protocol in _ACCURACIES]
            if (name, task[0], task[2]) in (published or {}):
                accuracies[0] += f" ({(published or {})[name, task[0], task[2]]:.2f})"
            scope = [_percent(values.get(("oos", "auroc", detector))) for detector in _DETECTORS]
            clusters = _percent(values.get(("clustering", "v_measure", None)))
            rows.append([_title(*task), name, *accuracies, clusters, " / ".join(filter(None, scope))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _task(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["source"], row["language"], row["predicts"]


def _title(source: str, language: str, predicts: str) -> str:
    return f"{source} ({language})" if predicts == "intent" else f"{source} ({language}), {predicts}"


def _shown(row: Mapping[str, Any]) -> bool:
    return row["contaminated"] == "kept"


def _key(row: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return row["protocol"], row["metric"], row["settings"].get("detector")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"
