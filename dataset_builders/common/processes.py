"""Parallel work in processes, with ordered results."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dataset_builders.common.endings import end_with_parent
from dataset_builders.common.errors import DataError

Result = TypeVar("Result")


def in_order(work: Callable[[int], Result], count: int, processes: int = 1) -> Iterator[Result]:
    """Compute `work(0)`, `work(1)`, ... `work(count - 1)` in parallel.

    The first call runs in this process, so that all others share the models and modules that it loads. Each process
    holds at most one result that has not been consumed. The processes are forked, so that `work` and its data are not
    copied, and end with this one, even if it is killed. On systems other than Linux, where forking is not safe, all
    calls run in this process.

    Args:
        work: Function of the call number only, with picklable results.
        count: Number of calls.
        processes: Number of worker processes, in addition to this one.

    Yields:
        Results in the order of the calls.

    Raises:
        DataError: A process was killed.
        Exception: Any exception of `work`.
    """
    if not count:
        return
    yield work(0)
    if processes < 2 or count < 3 or sys.platform != "linux":
        yield from map(work, range(1, count))
        return
    fork = multiprocessing.get_context("fork")
    readers: list[Connection] = []
    workers = []
    try:
        for first in range(1, min(processes + 1, count)):
            reader, writer = fork.Pipe(duplex=False)
            readers.append(reader)
            numbers = range(first, count, processes)
            worker = fork.Process(target=_send_results, args=(work, numbers, writer, readers, os.getpid()), daemon=True)
            with _signals_blocked():  # Ctrl-C reaches all processes; workers ignore it, and this one terminates them
                worker.start()
                workers.append(worker)
            writer.close()  # otherwise the end of the worker would go unnoticed
        for number in range(1, count):
            yield _receive(readers[(number - 1) % processes])
    finally:
        for worker in workers:
            worker.terminate()
        for worker, reader in zip(workers, readers, strict=True):
            reader.close()
            worker.join()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _send_results(
    work: Callable[[int], object], numbers: Iterable[int], writer: Connection, readers: list[Connection], parent: int
) -> None:
    """Run in a worker: send the result or the exception of each call."""
    end_with_parent(parent)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)  # not the handlers of the parent, which clean up
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGHUP})
    for reader in readers:
        reader.close()  # otherwise the worker would not notice that the parent process is gone
    try:
        for number in numbers:
            outcome: tuple[object, Exception | None]
            try:
                outcome = (work(number), None)
            except Exception as error:
                outcome = (None, error)
            writer.send_bytes(pickle.dumps(outcome, protocol=5))
    except BrokenPipeError:
        pass  # the parent process was killed


def _receive(reader: Connection) -> Any:
    try:
        result, error = pickle.loads(reader.recv_bytes())
    except EOFError:
        raise DataError(
            "a process that makes rows was killed, probably for lack of memory; use fewer processes (--num-proc)"
        ) from None
    if error is not None:
        raise error
    return result
