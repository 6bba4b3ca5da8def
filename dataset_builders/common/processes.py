"""Work in several processes, whose results arrive in order."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dataset_builders.common.errors import DataError

Result = TypeVar("Result")


def in_order(work: Callable[[int], Result], count: int, processes: int = 1) -> Iterator[Result]:
    """`work(0)`, `work(1)`, ... `work(count - 1)`.

    The first one is done here: models and modules that it loads are then shared by all processes. Each process holds at
    most one result that nobody took yet. Processes are forked, so `work` and what it reads are not copied; where that
    is not safe (anywhere but on Linux) all is done here.

    Args:
        work: Depends on nothing but its argument; its results can be pickled.
        count: How often.
        processes: How many at once, beside this one, which takes the results.

    Raises:
        DataError: A process was killed.
        Exception: What `work` raised.
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
            mine = range(first, count, processes)
            worker = fork.Process(target=_send, args=(work, mine, writer, readers), daemon=True)
            with _no_interrupt():  # the new process never sees Ctrl-C, which goes to all; this one ends it
                worker.start()
                workers.append(worker)
            writer.close()  # else its end would never show
        for number in range(1, count):
            yield _received(readers[(number - 1) % processes])
    finally:
        for worker in workers:
            worker.terminate()
        for worker, reader in zip(workers, readers, strict=True):
            reader.close()
            worker.join()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(work: Callable[[int], object], numbers: Iterable[int], writer: Connection, readers: list[Connection]) -> None:
    for reader in readers:
        reader.close()  # else nobody would notice that the other side is gone
    try:
        for number in numbers:
            answer: tuple[object, Exception | None]
            try:
                answer = (work(number), None)
            except Exception as error:
                answer = (None, error)
            writer.send_bytes(pickle.dumps(answer, protocol=5))
    except BrokenPipeError:
        pass  # the other side was killed


def _received(reader: Connection) -> Any:
    try:
        result, error = pickle.loads(reader.recv_bytes())
    except EOFError:
        message = "a process that makes rows was killed, probably for want of memory; use fewer processes (--num-proc)"
        raise DataError(message) from None
    if error is not None:
        raise error
    return result
