"""Progress bars on the error stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class TrainingState(Protocol):
    """What the bar of a training shows: epochs done, and the figures of each epoch with the best one."""

    epoch: int
    history: list[dict[str, Any]]
    best_epoch: int


class Encoding(Protocol):
    """What the bar of encoding shows of an encoder."""

    name: str
    dtype: str


class Baseline(Protocol):
    """What the bar of a leaderboard shows of a method."""

    name: str
    learns: bool


class Fit(Protocol):
    """What the bar of a leaderboard shows of a training; `train_size` is None for all pairs."""

    @property
    def baseline(self) -> Baseline:
        """The method."""

    @property
    def train_size(self) -> int | None:
        """Pairs that it is trained on."""

    @property
    def seed(self) -> int:
        """Of the training."""


@contextmanager
def step_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on the error stream; nothing where that is no terminal.

    Yields:
        Called with what is done now, how many steps are done and how many there are.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("")
        yield lambda what, done, total: bars.update(task, description=what, completed=done, total=total)


def training_bar(total: int, done: int, show: bool) -> Any:
    """A progress bar with the time left, epoch, loss and the best validation accuracy."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    @contextmanager
    def bar() -> Any:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, console=Console(stderr=True), disable=not show) as bars:
            task = bars.add_task("train", total=total, completed=done)

            def advance(progress: TrainingState, loss: float) -> None:
                best = progress.history[progress.best_epoch]
                shown = (
                    f"1-of-100 {best['accuracy_1_of_100']:.3f}"
                    if "accuracy_1_of_100" in best
                    else f"cosine {best['mean_cosine_to_teacher']:.3f}"
                )
                text = f"epoch {progress.epoch + 1}  loss {loss:.3f}  best {shown}"
                bars.update(task, advance=1, description=text)

            yield advance

    return bar()


@contextmanager
def encoding_progress(teacher: Encoding, total: int, show: bool = True) -> Iterator[Callable[[int], object]]:
    """A progress bar with the time left; yields the function that advances it by a number of texts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task(f"encode with {teacher.name} ({teacher.dtype})", total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def leaderboard_bar(total: int, show: bool) -> Iterator[Callable[[int, Fit], None]]:
    """A bar over all trainings; the value is called with trainings done since the last call, and the cell at work."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bars:
        task = bars.add_task("leaderboard", total=total)

        def advance(done: int, cell: Fit) -> None:
            size = "all" if cell.train_size is None else f"{cell.train_size:,}"
            text = (
                f"{cell.baseline.name}, {size} pairs, seed {cell.seed}" if cell.baseline.learns else cell.baseline.name
            )
            bars.update(task, advance=done, description=text)

        yield advance
