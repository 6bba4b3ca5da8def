"""Output of the pipeline: a bar while it works, a line per step, and tables of the plan and the summary."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich import box, console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.pipeline.context import Layout
from dataset_builders.pipeline.pipeline import Listener
from dataset_builders.pipeline.steps import Outcome

_STYLES = {
    "done": "green",
    "runs": "yellow",
    "may run": "yellow",
    "failed": "bold red",
    "skipped": "red",
    "up to date": "dim",
}


class Console(Listener):
    """Prints lines and a progress bar to the error stream; a context manager.

    Attributes:
        seconds: Time it was open.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = time.monotonic()
        self._errors = console.Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=self._errors, disable=not self._errors.is_terminal, transient=True)
        self._all = self._bars.add_task("pipeline", total=None)
        self._one = self._bars.add_task("", total=None, visible=False)

    def __enter__(self) -> Console:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        self.seconds = time.monotonic() - self._started

    def planned(self, steps: int) -> None:
        """Set the number of steps of the bar."""
        self._bars.update(self._all, total=steps)

    def begins(self, step: str, why: str) -> None:
        """Show the bar of a step."""
        self._bars.start()
        self._bars.remove_task(self._one)
        self._one = self._bars.add_task(step, total=None)
        if not self._errors.is_terminal:
            self._errors.print(Text(f"{step}: {why}"), soft_wrap=True)

    def progress(self, what: str, done: int, total: int) -> None:
        """Update the bar of the step."""
        self._bars.update(self._one, description=what, completed=done, total=total)

    def command(self, shown: str) -> None:
        """Print the command, and hide the bars because it has its own."""
        self._bars.stop()
        self._errors.print(Text(f"$ {shown}", style="cyan"), soft_wrap=True)

    def ends(self, outcome: Outcome) -> None:
        """Print a line about a step that ran."""
        self._bars.advance(self._all)
        self._bars.update(self._one, visible=False)
        if outcome.state != "up to date":
            why = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else f": {outcome.why}"
            line = Text.assemble((outcome.state, _STYLES[outcome.state]), f" {outcome.step}{why}")
            self._errors.print(line, soft_wrap=True)

    def warns(self, line: str) -> None:
        """Print a warning."""
        self._errors.print(Text.assemble(("warning: ", "yellow"), line), soft_wrap=True)


def print_plan(outcomes: Sequence[Outcome]) -> None:
    """Print which steps would run, and why."""
    table = Table("step", "plan", "why", box=box.SIMPLE_HEAD, padding=0)
    for outcome in outcomes:
        table.add_row(outcome.step, Text(outcome.state, style=_STYLES[outcome.state]), outcome.why)
    out = console.Console()
    out.print(table)
    runs, may = (sum(outcome.state == state for outcome in outcomes) for state in ("runs", "may run"))
    what = f"{runs} of {len(outcomes)} steps would run" + (f", {may} more may" if may else "")
    if not runs:
        what = f"all {len(outcomes)} steps are up to date"
    out.print(f"Dry run: {what}; nothing was written.", highlight=False)


def print_summary(outcomes: Sequence[Outcome], seconds: float, config: PipelineConfig) -> None:
    """Print each step with its time and size, and how to use the results."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption="time: the step's last run; size: the step's output"
    )
    for title in ("step", "", "time", "size", "why"):
        justify: console.JustifyMethod = "right" if title in ("time", "size") else "left"
        table.add_column(title, justify=justify, no_wrap=title in ("step", "time", "size"))
    for outcome in outcomes:
        took = "" if outcome.seconds is None else f"{outcome.seconds:,.1f} s"
        size = "" if outcome.size is None else decimal(outcome.size)
        table.add_row(outcome.step, Text(outcome.state, style=_STYLES[outcome.state]), took, size, outcome.why)
    out = console.Console()
    out.print(table)
    done = sum(outcome.state == "done" for outcome in outcomes)
    failed = sum(outcome.state in ("failed", "skipped") for outcome in outcomes)
    if done or failed:
        more = f", {failed} failed or were skipped" if failed else ""
        text = f"{done} of {len(outcomes)} steps ran in {seconds:,.1f} s{more}."
    else:
        text = f"Nothing to do: all {len(outcomes)} steps are up to date ({seconds:.1f} s)."
    out.print(text, highlight=False)
    assert config.out is not None
    layout = Layout(config.out)
    if layout.dataset.exists():
        out.print(Text(f'load_dataset("{layout.dataset}", "pairs")'), soft_wrap=True)
    if config.database and layout.database.exists():
        out.print(Text(f"dialogue-cube dashboard --database {layout.database}"), soft_wrap=True)
