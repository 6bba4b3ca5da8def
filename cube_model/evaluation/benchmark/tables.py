"""The table of the benchmark: one encoder, or several as columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cube_model.evaluation.benchmark.means import means
from cube_model.evaluation.intents.run import MEAN

if TYPE_CHECKING:
    from rich.table import Table

Output = Mapping[str, Any]

_SHOWN: dict[str, dict[str, str]] = {
    "responses": {"accuracy_1_of_100": "1 of 100", "mrr": "MRR"},
    "intents": {"accuracy": "accuracy", "auroc": "AUROC", "v_measure": "V"},
    "actions": {
        "macro_f1": "macro F1",
        "rank_share": "rank share",
        "cosine_within": "within labels",
        "cosine_between": "between labels",
    },
    "dialogues": {
        "micro_f1": "micro F1",
        "macro_f1": "macro F1",
        "same_domains": "same domains",
        "same_scenario": "same scenario",
    },
    "cost": {"parameters": "parameters", "dimension": "dimension", "utterances_per_second": "utterances/s"},
}
"""Task -> metrics that the table shows -> their names there; the JSON file has others, too."""

_HIDDEN = ("oos, max_softmax", "oos, max_logit")
"""Settings that only the JSON file has."""

_COUNTS = ("parameters", "dimension", "utterances_per_second")
"""Metrics that are no shares."""

NOTES = (
    "In percent, cosines as they are; ± half the 95 % interval. seen: sources of the encoder's training.",
    'rank share: what Dialog2Flow reports as "NDCG@10"; mean: over sources, each once; version: of the protocol.',
)

_GROUPS = {True: "seen", False: "unseen", None: ""}


class Row(NamedTuple):
    """What a row of the table is about."""

    task: str
    group: str
    place: str
    measure: str
    version: str


def benchmark_table(outputs: Sequence[Output], title: str) -> Table:
    """Return a table with a row for each figure and a column for each encoder.

    The rows of a task are those of seen sources, their means, those of unseen sources and their means.

    Args:
        outputs: JSON objects of `run_benchmark`. A source counts as seen if one of the encoders has seen it.
        title: Title.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grouped = any(output["seen_sources"] is not None for output in outputs)
    seen = {source for output in outputs for source in output["seen_sources"] or ()} if grouped else None
    columns = [dict(_rows(output, seen)) for output in outputs]
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("task", *(["seen"] if grouped else []), "source", "measure"):
        table.add_column(head)
    for output in outputs:
        table.add_column(column_name(output), justify="right", no_wrap=True)
    table.add_column("version", style="dim")
    last = None
    for row in sorted(dict.fromkeys(row for column in columns for row in column), key=_order):
        block = (row.task, *([row.group] if grouped else []), row.place)
        if block != last and last is not None:
            table.add_section()
        shown = block if block != last else [""] * len(block)
        table.add_row(*shown, row.measure, *(column.get(row, "") for column in columns), row.version)
        last = block
    return table


def _order(row: Row) -> tuple[int, int, bool]:
    return list(_SHOWN).index(row.task), list(_GROUPS.values()).index(row.group), row.place.startswith(MEAN)


def column_name(output: Output) -> str:
    """Return the name of an encoder, with its core if there is one."""
    encoder = output["encoder"]
    return str(encoder["name"]) + ("" if encoder["method"] == "identity" else f"\n+ {encoder['method']}")


def _rows(output: Output, seen: set[str] | None) -> Iterator[tuple[Row, str]]:
    """Yield the rows of an output and their figures; `seen` are the sources that count as seen, None for no groups."""
    entries = [
        {**entry, "seen": None if seen is None or entry["source"] is None else entry["source"] in seen}
        for entry in output["results"]
        if entry["source"] != MEAN
    ]
    for entry in [*entries, *means(entries)]:
        metric = _SHOWN[entry["task"]].get(entry["metric"])
        if metric is None or entry["setting"] in _HIDDEN or entry.get("contaminated") == "removed":
            continue
        group, place = _GROUPS[entry["seen"]], entry["source"] or ""
        if place == MEAN:
            place = f"{MEAN} {group}".strip()
        elif place:
            place += f" ({entry['language']})"
        if (predicts := entry.get("predicts", "intent")) != "intent":
            place += f", {predicts}"
        measure = f"{entry['setting']}: {metric}"
        yield Row(entry["task"], group, place, measure, version_of(entry)), cell(entry)


def version_of(entry: Mapping[str, Any]) -> str:
    """Return the version of the protocol: `"actions v1: few-shot ..."` -> `"v1"`."""
    return re.split("[:;]", entry["protocol"])[0].split()[-1]


def cell(entry: Mapping[str, Any]) -> str:
    """Format a figure with half its interval: `26.83 ±0.60`, a cosine as `.487 ±.018`, a count as `22,713,216`."""
    scale, digits = 100, 2
    if entry["metric"] in _COUNTS:
        scale, digits = 1, 0
    elif entry["metric"].startswith("cosine"):
        scale, digits = 1, 3
    value = f"{scale * entry['value']:,.{digits}f}"
    if not entry["ci95"]:
        return value
    low, high = entry["ci95"]
    return f"{value} [dim]±{scale * (high - low) / 2:,.{digits}f}[/]"
