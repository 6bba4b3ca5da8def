"""The progress bar of encoding, on the error stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cube_model.teacher.teacher import Teacher


@contextlib.contextmanager
def encoding_progress(teacher: Teacher, total: int, show: bool = True) -> Iterator[Callable[[int], object]]:
    """A progress bar with the time left; yields the function that advances it by a number of texts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task(f"encode with {teacher.name} ({teacher.dtype})", total=total)
        yield lambda count: bar.advance(task, count)
