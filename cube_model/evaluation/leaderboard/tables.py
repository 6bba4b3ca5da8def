"""A leaderboard's JSON as a table on the terminal, as metadata of a model card, and as Markdown for the READMEs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huggingface_hub import EvalResult
    from rich.table import Table

Entries = Sequence[Mapping[str, Any]]

_METRIC = "accuracy_1_of_100"


@dataclass
class Line:
    """One method at one training size, over its seeds.

    Attributes:
        method: Name.
        train_size: Pairs; None for what does not learn.
        parameters: Trained numbers.
        metrics: Name -> a value each seed.
        intervals: Name -> `(low, high)` of the first seed, over dialogues.
        seconds: Of training, each seed.
        microseconds: A query, each seed.
    """

    method: str
    train_size: int | None
    parameters: int
    metrics: dict[str, list[float]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)

    def mean(self, metric: str) -> float:
        """Mean over the seeds; NaN where it was not measured."""
        values = self.metrics.get(metric)
        return statistics.fmean(values) if values else float("nan")


def lines(results: Entries, source: str) -> list[Line]:
    """The entries of one source, seeds put together; best 1-of-100 first within each training size."""
    found: dict[tuple[str, int | None], Line] = {}
    for entry in results:
        if entry["source"] != source or entry["domain"] is not None or entry["negatives"] != "random":
            continue
        line = found.setdefault(
            (entry["method"], entry["train_size"]), Line(entry["method"], entry["train_size"], entry["parameters"])
        )
        line.metrics.setdefault(entry["metric"], []).append(entry["value"])
        line.intervals.setdefault(entry["metric"], tuple(entry["ci95"]))
        if entry["metric"] == "accuracy_1_of_100":
            line.seconds.append(entry["training_seconds"])
            line.microseconds.append(entry["microseconds_per_query"])
    return sorted(found.values(), key=lambda line: (line.train_size or 0, -line.mean("accuracy_1_of_100")))


def sources(results: Entries) -> list[str]:
    """Tested sources in the order of the file."""
    return list(dict.fromkeys(entry["source"] for entry in results))


def leaderboard_table(results: Entries, source: str, title: str) -> Table:
    """A row a method and training size: mean over the seeds, below it their standard deviation.

    All other figures are in the JSON.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # without lines and margins it fits 80 characters
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", no_wrap=True)
    for head in ("pairs", "params", "1-of-\n100", "MRR", "cosine", "train\ns", "µs/\nquery"):
        table.add_column(head, justify="right")
    size: int | None = None
    for line in lines(results, source):
        if line.train_size != size:
            table.add_section()
            size = line.train_size
        metrics = ("accuracy_1_of_100", "mrr", "mean_cosine")
        table.add_row(
            line.method,
            "" if size is None else f"{size:,}",
            f"{line.parameters:,}",
            *(_cell(line.metrics.get(metric)) for metric in metrics),
            f"{statistics.fmean(line.seconds):.1f}",
            f"{statistics.fmean(line.microseconds):.1f}",
        )
    low, high = zip(*(entry["ci95"] for entry in results if entry["metric"] == "accuracy_1_of_100"), strict=True)
    half = max((h - b) / 2 for b, h in zip(low, high, strict=True))
    table.caption = f"±: standard deviation over seeds; 95 % interval over dialogues of 1-of-100: at most ±{half:.3f}"
    return table


def differences_table(differences: Entries, source: str) -> Table:
    """1-of-100 of every method minus that of the core; bold where the interval holds no zero."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{source}: 1-of-100 against the core"), box=box.SIMPLE_HEAD)
    table.add_column("method", no_wrap=True)
    for head in ("pairs", "difference", "95 % interval"):
        table.add_column(head, justify="right")
    size: int | None = None
    for each in differences:
        if each["source"] != source:
            continue
        if each["train_size"] != size:
            table.add_section()
            size = each["train_size"]
        low, high = each["ci95"]
        style = "" if low <= 0 <= high else "bold"
        table.add_row(
            each["method"], f"{size or 0:,}", f"{each['value']:+.3f}", f"{low:+.3f} to {high:+.3f}", style=style
        )
    table.caption = "means over seeds; the same dialogues drawn for both; bold: not zero"
    return table


def eval_results(results: Entries, method: str = "core", dataset: str = "dialogue-corpus") -> list[EvalResult]:
    """Entries for the metadata of a model card (`ModelCardData(eval_results=...)`).

    Args:
        results: `results` of a leaderboard's JSON.
        method: The row that the card is about; of it the largest training size.
        dataset: Hub repository of the data, if there is one.
    """
    from huggingface_hub import EvalResult

    entries = []
    for source in sources(results):
        own = [line for line in lines(results, source) if line.method == method]
        if not own:
            continue
        line = max(own, key=lambda line: line.train_size or 0)
        for metric in line.metrics:
            entries.append(
                EvalResult(
                    task_type="response-selection",
                    dataset_type=dataset,
                    dataset_name=source,
                    dataset_split="test",
                    metric_type=metric,
                    metric_name=metric.replace("_", " "),
                    metric_value=round(line.mean(metric), 4),
                    metric_args={
                        "seeds": len(line.metrics[metric]),
                        "train_size": line.train_size,
                        "ci95": [round(end, 4) for end in line.intervals[metric]],
                    },
                )
            )
    return entries


def _cell(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    spread = f"{chr(10)}[dim]±{statistics.stdev(values):.3f}[/]" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"


_Column = dict[str, Line]
"""Method -> its line at one training size."""


def markdown_table(boards: Sequence[Mapping[str, Any]]) -> str:
    """1-of-100 accuracy of all methods, means over the seeds: a row a method, a column a tested corpus and size.

    The best of a column is bold; `=` stands behind a figure whose paired difference to the core could be zero (95 %
    interval). What does not learn has one figure for all sizes. Rows are in the order of the first board's largest
    training size.

    Args:
        boards: JSON objects of `dialogue-cube leaderboard`, of one teacher.
    """
    columns = [column for board in boards for column in _columns(board)]
    first = columns[len(_columns(boards[0])) - 1][1]
    names = sorted(
        {name for _, column, _ in columns for name in column},
        key=lambda name: -first[name].mean(_METRIC) if name in first else 0.0,
    )
    heads = ["method", "parameters", *(head for head, *_ in columns)]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name in names:
        parameters = next(column[name].parameters for _, column, _ in columns if name in column)
        figures = [_figure(name, column, level) for _, column, level in columns]
        rows.append([f"**{name}**" if name == "core" else name, f"{parameters:,}", *figures])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _columns(board: Mapping[str, Any]) -> list[tuple[str, _Column, set[str]]]:
    """Head, lines, and the methods that may be level with the core, of each tested corpus and training size."""
    tested = sources(board["results"])
    # several corpora together are in the file
    return [column for source in tested if source != "all" for column in _columns_of(board, source)]


def _columns_of(board: Mapping[str, Any], source: str) -> list[tuple[str, _Column, set[str]]]:
    found = lines(board["results"], source)
    columns = []
    for size in sorted({line.train_size for line in found if line.train_size is not None}):
        level = {
            each["method"]
            for each in board["differences"]
            if each["source"] == source and each["train_size"] == size and each["ci95"][0] <= 0 <= each["ci95"][1]
        }
        column = {line.method: line for line in found if line.train_size in (None, size)}
        columns.append((f"{source}, {size:,} pairs", column, level))
    return columns


def _figure(name: str, column: _Column, level: set[str]) -> str:
    if name not in column:
        return ""
    shown = {method: f"{line.mean(_METRIC):.3f}".lstrip("0") for method, line in column.items()}
    figure = f"**{shown[name]}**" if shown[name] == max(shown.values()) else shown[name]
    return f"{figure} =" if name in level else figure
