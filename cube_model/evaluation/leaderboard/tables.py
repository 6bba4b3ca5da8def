"""Leaderboard results as terminal tables, as model card metadata, and as Markdown for the READMEs."""

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
    """Results of one method at one training size, over all seeds.

    Attributes:
        method: Name of the method.
        train_size: Number of training pairs; None for a method that does not learn.
        parameters: Number of trained parameters.
        metrics: Name -> value for each seed.
        intervals: Name -> `(low, high)`, the 95 % interval over dialogues for the first seed.
        seconds: Training time for each seed.
        microseconds: Time per query for each seed.
    """

    method: str
    train_size: int | None
    parameters: int
    metrics: dict[str, list[float]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)

    def mean(self, metric: str) -> float:
        """Return the mean over the seeds, or NaN if the metric was not measured."""
        values = self.metrics.get(metric)
        return statistics.fmean(values) if values else float("nan")


def lines(results: Entries, source: str) -> list[Line]:
    """Group the entries of one source by method and training size; within each size, the best 1-of-100 comes first."""
    by_method: dict[tuple[str, int | None], Line] = {}
    for entry in results:
        if entry["source"] != source or entry["domain"] is not None or entry["negatives"] != "random":
            continue
        line = by_method.setdefault(
            (entry["method"], entry["train_size"]), Line(entry["method"], entry["train_size"], entry["parameters"])
        )
        line.metrics.setdefault(entry["metric"], []).append(entry["value"])
        line.intervals.setdefault(entry["metric"], tuple(entry["ci95"]))
        if entry["metric"] == "accuracy_1_of_100":
            line.seconds.append(entry["training_seconds"])
            line.microseconds.append(entry["microseconds_per_query"])
    return sorted(by_method.values(), key=lambda line: (line.train_size or 0, -line.mean("accuracy_1_of_100")))


def sources(results: Entries) -> list[str]:
    """Return the tested sources in the order of the file."""
    return list(dict.fromkeys(entry["source"] for entry in results))


def leaderboard_table(results: Entries, source: str, title: str) -> Table:
    """Return a table with a row for each method and training size: means over seeds above their standard deviations.

    The JSON file has all figures.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # fits into 80 characters only without lines and margins
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
    """Return a table of the differences in 1-of-100 to the core; bold if the interval excludes zero."""
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
    table.caption = "means over seeds, from bootstrap samples of the same dialogues; bold: the interval excludes zero"
    return table


def eval_results(results: Entries, method: str = "core", dataset: str = "dialogue-corpus") -> list[EvalResult]:
    """Return entries for the metadata of a model card (`ModelCardData(eval_results=...)`).

    Args:
        results: `results` of a leaderboard's JSON.
        method: Method that the card describes, at its largest training size.
        dataset: Hub repository of the dataset.
    """
    from huggingface_hub import EvalResult

    entries = []
    for source in sources(results):
        rows = [line for line in lines(results, source) if line.method == method]
        if not rows:
            continue
        line = max(rows, key=lambda line: line.train_size or 0)
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
"""Method -> line at one training size."""


def markdown_table(boards: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of 1-of-100 accuracy, averaged over the seeds.

    There is a row for each method and a column for each tested source and training size. The best figure of a column is
    bold; `=` marks a method whose paired difference to the core has a 95 % interval that includes zero. A method that
    does not learn has the same figure at all sizes. The rows are sorted by the first board's largest training size.

    Args:
        boards: JSON objects of `dialogue-cube leaderboard`, all with the same teacher.
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
    """Return head, lines and methods level with the core, for each tested source and training size."""
    # figures over all sources together are only in the JSON
    tested = [source for source in sources(board["results"]) if source != "all"]
    return [column for source in tested for column in _columns_of(board, source)]


def _columns_of(board: Mapping[str, Any], source: str) -> list[tuple[str, _Column, set[str]]]:
    rows = lines(board["results"], source)
    columns = []
    for size in sorted({line.train_size for line in rows if line.train_size is not None}):
        level = {
            each["method"]
            for each in board["differences"]
            if each["source"] == source and each["train_size"] == size and each["ci95"][0] <= 0 <= each["ci95"][1]
        }
        column = {line.method: line for line in rows if line.train_size in (None, size)}
        columns.append((f"{source}, {size:,} pairs", column, level))
    return columns


def _figure(name: str, column: _Column, level: set[str]) -> str:
    if name not in column:
        return ""
    shown = {method: f"{line.mean(_METRIC):.3f}".lstrip("0") for method, line in column.items()}
    figure = f"**{shown[name]}**" if shown[name] == max(shown.values()) else shown[name]
    return f"{figure} =" if name in level else figure
