"""Progress bars on the error stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


class TrainingState(Protocol):
    """State of a training that its bar shows: epoch, validation figures of each epoch, and the best epoch."""

    epoch: int
    history: list[dict[str, Any]]
    best_epoch: int


class Encoding(Protocol):
    """Attributes of a text encoder that the encoding bar shows."""

    name: str
    dtype: str


class Baseline(Protocol):
    """Attributes of a method that the leaderboard bar shows."""

    name: str
    learns: bool


class Fit(Protocol):
    """Attributes of a training run that the leaderboard bar shows."""

    @property
    def baseline(self) -> Baseline:
        """Method to train."""

    @property
    def train_size(self) -> int | None:
        """Number of training pairs; None for all."""

    @property
    def seed(self) -> int:
        """Random seed of the training."""


@contextmanager
def step_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar over the steps of a command, on the error stream if it is a terminal.

    Yields:
        Function to call with the current step, the number of steps done and their total.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("")
        yield lambda step, done, total: bars.update(task, description=step, completed=done, total=total)


def training_bar(total: int, done: int, show: bool) -> Any:
    """Make the bar of a training: time left, epoch, loss and best validation result.

    Args:
        total: Number of training steps.
        done: Number of steps done by an earlier run.
        show: Show the bar on the error stream.

    Returns:
        Context manager of the function to call after each step, with the training's state and the loss.
    """
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
                figure = (
                    f"1-of-100 {best['accuracy_1_of_100']:.3f}"
                    if "accuracy_1_of_100" in best
                    else f"cosine {best['mean_cosine_to_teacher']:.3f}"
                )
                text = f"epoch {progress.epoch + 1}  loss {loss:.3f}  best {figure}"
                bars.update(task, advance=1, description=text)

            yield advance

    return bar()


@contextmanager
def counting_bar(title: str, total: int, show: bool = True) -> Iterator[Callable[[int], object]]:
    """Show a bar with the time left while something is counted.

    Args:
        title: Text before the bar.
        total: Number to reach.
        show: Show the bar on the error stream.

    Yields:
        Function to call with what was done since the last call.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


def encoding_progress(
    teacher: Encoding, total: int, show: bool = True
) -> AbstractContextManager[Callable[[int], object]]:
    """Show a bar with the time left while texts are encoded.

    Args:
        teacher: Text encoder.
        total: Number of texts.
        show: Show the bar on the error stream.

    Returns:
        Context manager of the function to call with the number of texts encoded since the last call.
    """
    return counting_bar(f"encode with {teacher.name} ({teacher.dtype})", total, show)


@contextmanager
def leaderboard_bar(total: int, show: bool) -> Iterator[Callable[[int, Fit], None]]:
    """Show a bar over the training runs of a leaderboard.

    Args:
        total: Number of runs.
        show: Show the bar on the error stream.

    Yields:
        Function to call with the number of runs done since the last call, and the current run.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bars:
        task = bars.add_task("leaderboard", total=total)

        def advance(done: int, fit: Fit) -> None:
            size = "all" if fit.train_size is None else f"{fit.train_size:,}"
            text = f"{fit.baseline.name}, {size} pairs, seed {fit.seed}" if fit.baseline.learns else fit.baseline.name
            bars.update(task, advance=done, description=text)

        yield advance
