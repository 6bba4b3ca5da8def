"""Stages of a long command: tasks whose results are kept, so that a killed command goes on where it was."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from dataset_builders.common.executor import Executor, LostTaskError
from dataset_builders.common.storage import Storage

Progress = Callable[[str, int, int], None]
"""Called with the current step, the number of tasks done and their total."""


class Stages:
    """Runs the stages of a command one after another.

    When a task has finished, it writes its result to `NAME/NUMBER.json`, after all its other files. A task with such a
    mark is not done again. So the storage belongs to one input, one set of options and one version of the code: the
    caller puts a fingerprint of them into its root.

    Args:
        storage: Where the marks are kept.
        executor: Where the tasks run.
        progress: Called as tasks finish.

    Example:
        >>> import operator, tempfile
        >>> from dataset_builders.common.executor import LocalExecutor
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stages = Stages(Storage(folder), LocalExecutor())
        ...     stages.run("double", functools.partial(operator.mul, 2), 3)
        [0, 2, 4]
    """

    def __init__(self, storage: Storage, executor: Executor, progress: Progress | None = None) -> None:
        self.storage, self.executor = storage, executor
        self.progress = progress or (lambda step, done, total: None)

    def run(
        self,
        name: str,
        work: Callable[[int], Any],
        count: int,
        *,
        step: str | None = None,
        label: Callable[[int], str] | None = None,
        gpus: float = 0,
    ) -> list[Any]:
        """Do the tasks of a stage that have not been done yet.

        Args:
            name: Name of the stage, unique in the storage; also the folder of its marks.
            work: Picklable function of the number of the task; returns plain values, as JSON has them. Tuples become
                lists, numbers of NumPy become plain ones.
            count: Number of tasks.
            step: Name of the step for `progress`; the name of the stage by default.
            label: Function of the number of a task that says what it works on, such as a file, for messages.
            gpus: See `Executor.in_order`.

        Returns:
            Results of all tasks, in order.

        Raises:
            DataError: A task failed, or its process or machine was lost.
        """
        step, results = step or name, self._finished(name, count)
        pending = [number for number in range(count) if number not in results]
        self.progress(step, len(results), count)
        label = label or f"task {{}} of {name}".format
        outcomes = self.executor.in_order(
            functools.partial(_complete, self.storage, name, work, count, pending),
            len(pending),
            label=functools.partial(_label, label, pending),
            gpus=gpus,
        )
        try:
            for number, result in zip(pending, outcomes, strict=True):
                results[number] = result
                self.progress(step, len(results), count)
        except LostTaskError as error:
            raise LostTaskError(f"{error}; {self._way_on(name, count)}") from error
        return [results[number] for number in range(count)]

    def _way_on(self, name: str, count: int) -> str:
        if not self.storage.kept:
            return "with --scratch, finished tasks are kept for the next run"
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        done = len(self._finished(name, count))
        return f"{done} of {count} tasks of {name} are kept in {self.storage.root}; go on with: {command}"

    def _finished(self, name: str, count: int) -> dict[int, Any]:
        """Return the results of the tasks that were done before, by number."""
        marks = {_mark(name, number): number for number in range(count)}
        finished = sorted(marks.keys() & set(self.storage.names(name)))
        kept = ((marks[mark], orjson.loads(text)) for mark, text in self.storage.read(finished).items())
        return {number: content["result"] for number, content in kept if content["count"] == count}


def _mark(name: str, number: int) -> str:
    return f"{name}/{number:05}.json"


def _complete(
    storage: Storage, name: str, work: Callable[[int], Any], count: int, pending: Sequence[int], index: int
) -> Any:
    number = pending[index]
    content = orjson.dumps({"count": count, "result": work(number)}, option=orjson.OPT_SERIALIZE_NUMPY)
    with storage.create(_mark(name, number)) as path:
        path.write_bytes(content)
    return orjson.loads(content)["result"]  # the same values as in a later run


def _label(label: Callable[[int], str], pending: Sequence[int], index: int) -> str:
    return label(pending[index])
