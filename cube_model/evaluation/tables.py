"""Terminal tables of response selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cube_model.evaluation.response_selection import Report, Result, note

if TYPE_CHECKING:
    from rich.table import Table

Interval = tuple[float, float, float]

_COLUMNS = (
    ("1 of\n{batch}", "random", "accuracy_1_of_100"),
    ("by\nindex", "random", "accuracy_1_of_100_by_index"),
    ("same\ndomain", "same-domain", "accuracy_1_of_100"),
    ("same\ndialogue", "same-dialogue", "accuracy_1_of_100"),
    ("MRR", "random", "mrr"),
    ("mean\ncosine", "random", "mean_cosine"),
)


_EXPLANATIONS = {
    "1 of\n{batch}": "1 of {batch}: the true answer is the best of {batch}; equal texts count as true",
    "by\nindex": "by index: a copy of the true answer counts as wrong, as in published figures",
    "same\ndomain": "same domain: the other answers are from dialogues of the same domain (harder)",
    "same\ndialogue": "same dialogue: the question's own dialogue supplies other answers, too",
}
"""A line of at most 80 characters on each column that needs one."""


def explanations(report: Report) -> list[str]:
    """Return a line on each column and method of `report_table` that needs one."""
    results = [result for result in report.results if result.domain is None]
    measured = {(result.negatives, metric) for result in results for metric in result.metrics}
    lines = [
        _EXPLANATIONS[head].format(batch=report.batch)
        for head, *figure in _COLUMNS
        if head in _EXPLANATIONS and tuple(figure) in measured
    ]
    ceiling = f"ceiling by index: {report.ceiling_by_index:.3f}, the share of true answers without a copy in the batch"
    remarks = {result.method.name: getattr(result.method, "remark", "") for result in results}
    return [*lines, ceiling, *(f"{name}: {remark}" for name, remark in remarks.items() if remark)]


def report_table(report: Report, title: str) -> Table:
    """Return a table with one row per method; below each figure is half the width of its 95 % interval."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    overall = [r for r in report.results if (r.negatives, r.domain) == ("random", None)]
    columns = [
        (head, [_metric(report.find(result.method, negatives), metric) for result in overall])
        for head, negatives, metric in _COLUMNS
    ]
    columns = [(head, cells) for head, cells in columns if any(cells)]
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", max_width=12)  # "trained core"; longer names take the line of the intervals, too
    for head in ("turns", "params", *(head.format(batch=report.batch) for head, _ in columns)):
        table.add_column(head, justify="right", no_wrap=True)
    for row, result in enumerate(overall):
        method = result.method
        cells = [interval_cell(figures[row]) for _, figures in columns]
        table.add_row(method.name, str(method.turns), f"{method.parameters:,}", *cells)
    table.caption = (
        f"{report.pairs:,} pairs of {report.dialogues:,} dialogues, {report.pool:,} distinct answers; "
        "± half the 95 % interval, over dialogues"
    )
    return table


def domain_table(report: Report) -> Table | None:
    """Return a table of 1-of-100 accuracy by domain, or None if there are no domains."""
    from rich.table import Table

    domains = list(dict.fromkeys(r.domain for r in report.results if r.domain))
    if not domains:
        return None
    overall = [r.method for r in report.results if (r.negatives, r.domain) == ("random", None)]
    table = Table("domain", title=f"1-of-{report.batch} by domain (a dialogue may have several)")
    table.add_column("pairs", justify="right")
    for method in overall:
        table.add_column(f"{method.name}\n{method.turns} turn{'s' if method.turns > 1 else ''}", justify="right")
    for domain in domains:
        results = [report.find(method, domain=domain) for method in overall]
        pairs = next((result.pairs for result in results if result), 0)
        table.add_row(
            domain, f"{pairs:,}", *(interval_cell(_metric(r, "accuracy_1_of_100"), below=False) for r in results)
        )
    return table


def interval_cell(figure: Interval | None, *, below: bool = True) -> str:
    """Format a figure as `0.264` and half its interval as `±0.006`, on the next line or on the same one."""
    if figure is None:
        return ""
    value, low, high = figure
    return f"{value:.3f}{chr(10) if below else ' '}[dim]±{(high - low) / 2:.3f}[/]"


def show(reports: dict[str, Report], title: str, sources: Sequence[str]) -> None:
    """Print the tables of all sources."""
    from rich.console import Console

    console = Console()
    for name, report in reports.items():
        shown = name if len(reports) > 1 else ", ".join(sources)
        console.print(report_table(report, f"{title}: {shown}"))
        if name != "all" and (table := domain_table(report)) is not None:
            console.print(table)
        if remark := note(report):
            console.print(f"[yellow]note:[/] {remark}")
    for line in explanations(next(iter(reports.values()))):
        console.print(line, style="dim", markup=False, highlight=False)


def _metric(result: Result | None, metric: str) -> Interval | None:
    return None if result is None else result.metrics.get(metric)
