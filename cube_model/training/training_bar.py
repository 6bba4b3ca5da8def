"""The progress bar of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cube_model.training.checkpoints import Progress


def training_bar(total: int, done: int, show: bool) -> Any:
    """A progress bar with the time left, epoch, loss and the best validation accuracy."""
    import contextlib

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    @contextlib.contextmanager
    def bar() -> Any:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, console=Console(stderr=True), disable=not show) as bars:
            task = bars.add_task("train", total=total, completed=done)

            def advance(progress: Progress, loss: float) -> None:
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
