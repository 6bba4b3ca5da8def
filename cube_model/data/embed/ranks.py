"""The processes of `accelerate launch` as an executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")


class Ranks:
    """Share tasks among the processes of a launch; without one, this process does everything.

    All processes call `in_order` with the same arguments, and get all results.

    Args:
        device: Kind of device; the first call decides for all.

    Attributes:
        workers: Number of processes.
        is_here: False, since a launch may have several machines.
    """

    is_here = False

    def __init__(self, device: str = "auto") -> None:
        self.workers = int(os.environ.get("WORLD_SIZE", "1"))
        self._state: Any = None
        if self.workers > 1:
            from accelerate import PartialState

            self._state = PartialState(cpu=device == "cpu")

    @property
    def is_main(self) -> bool:
        """Whether this is the first process."""
        return self._state is None or bool(self._state.is_main_process)

    @property
    def device(self) -> str | None:
        """Torch device of this process; None without a launch."""
        return None if self._state is None else str(self._state.device)

    def wait(self) -> None:
        """Wait until all processes get here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def in_order(
        self, work: Callable[[int], Result], count: int, *, gpus: float = 0, label: Callable[[int], str] | None = None
    ) -> Iterator[Result]:
        """See `Executor`: each process takes every n-th task."""
        if self._state is None:
            yield from map(work, range(count))
            return
        from accelerate.utils import gather_object

        self.wait()  # all have listed the finished tasks before one finishes another
        for start in range(0, count, self.workers):
            number = start + self._state.process_index
            yield from gather_object([work(number)] if number < count else [])
