"""The progress bar of a leaderboard."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cube_model.evaluation.leaderboard.board import Cell


@contextlib.contextmanager
def leaderboard_bar(total: int, show: bool) -> Iterator[Callable[[int, Cell], None]]:
    """A bar over all trainings; the value is called with trainings done since the last call, and the cell at work."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bars:
        task = bars.add_task("leaderboard", total=total)

        def advance(done: int, cell: Cell) -> None:
            size = "all" if cell.train_size is None else f"{cell.train_size:,}"
            text = (
                f"{cell.baseline.name}, {size} pairs, seed {cell.seed}" if cell.baseline.learns else cell.baseline.name
            )
            bars.update(task, advance=done, description=text)

        yield advance
