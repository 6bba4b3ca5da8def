"""Where the tasks of a long command run: in processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dataset_builders.common.errors import DataError
from dataset_builders.common.processes import in_order

Result = TypeVar("Result")


class LostTaskError(DataError):
    """A task has no result, although the task itself reports no error: its process or its machine was lost."""


class Executor(Protocol):
    """Runs tasks in parallel and returns their results in order.

    A task may run several times, since a process or a machine can be lost: it writes each file aside and puts it in
    place at the end, and returns only small values.
    """

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time."""

    @property
    def is_here(self) -> bool:
        """Whether all tasks run on this machine, and so see its files."""

    def in_order(
        self, work: Callable[[int], Result], count: int, *, gpus: float = 0, label: Callable[[int], str] | None = None
    ) -> Iterator[Result]:
        """Compute `work(0)`, `work(1)`, ... `work(count - 1)`.

        Args:
            work: Picklable function of the number of the task, with picklable results: a `functools.partial` of a
                function of a module over paths and plain values.
            count: Number of tasks.
            gpus: Number of GPUs that a task needs; a share of one below 1.
            label: Function of the number of a task that says what it works on, such as a file, for messages.

        Yields:
            Results in the order of the tasks.

        Raises:
            DataError: A process was killed, repeatedly where tasks are repeated (`LostTaskError`).
            Exception: Any exception of `work`.
        """


@dataclass(frozen=True)
class LocalExecutor:
    """Processes of this machine; see `processes.in_order`.

    Args:
        workers: Number of processes. One runs everything in this process.

    Example:
        >>> list(LocalExecutor().in_order(abs, 3))
        [0, 1, 2]
    """

    workers: int = 1
    is_here = True

    def in_order(
        self, work: Callable[[int], Result], count: int, *, gpus: float = 0, label: Callable[[int], str] | None = None
    ) -> Iterator[Result]:
        """See `Executor`."""
        return in_order(work, count, self.workers)
