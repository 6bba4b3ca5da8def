"""Dynamic batching: requests that wait are computed together, by one thread.

While the thread computes a batch, requests gather for the next one. So batches are small (and answers fast) with few
requests, and large (and the work per text less) with many.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cube_model.errors import ModelError
from cube_model.serving.errors import INTERNAL, RefusalError, server_error

log = logging.getLogger(__name__)

Compute = Callable[[list[Any]], Sequence[Any]]
"""Compute the results of n items, in their order."""

_MAX_RETRY = 60
"""Maximum number of seconds after which a client is asked to try again."""


class _Job:
    """The items of a request, which may be computed in several batches."""

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.kind, self.items = kind, items
        self.results: list[Any] = [None] * len(items)
        self.taken = self.done = 0  # items in batches so far, and items with results
        self.arrival = time.monotonic()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[list[Any]] = self.loop.create_future()
        self.is_over = False

    @property
    def waiting(self) -> int:
        return len(self.items) - self.taken

    def put(self, start: int, results: Sequence[Any]) -> None:
        self.results[start : start + len(results)] = results
        self.done += len(results)
        if self.done == len(self.items):
            self._finish(lambda: self.future.set_result(self.results))

    def fail(self, error: Exception) -> None:
        self._finish(lambda: self.future.set_exception(error))

    def _finish(self, finish: Callable[[], None]) -> None:
        self.is_over = True
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(lambda: None if self.future.done() else finish())


class Batcher:
    """Compute requests of several kinds in batches, in one thread.

    Args:
        computes: Kind -> how its items are computed.
        max_batch: Maximum number of items of a batch, over all kinds.
        max_wait: Time that the first item of a batch waits for others, in seconds.
        queue: Maximum number of waiting items.
        observe: Called after each batch with its number of items and its seconds.
    """

    def __init__(
        self,
        computes: Mapping[str, Compute],
        *,
        max_batch: int = 32,
        max_wait: float = 0,
        queue: int = 256,
        observe: Callable[[int, float], None] = lambda items, seconds: None,
    ) -> None:
        self._computes, self._max_batch, self._max_wait, self._limit = computes, max_batch, max_wait, queue
        self._observe = observe
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._seconds_per_item = 0.0
        self.waiting = 0
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether requests are still computed."""
        return self._thread.is_alive()

    async def compute(self, kind: str, items: Sequence[Any], timeout: float) -> list[Any]:
        """Wait for the results of a request.

        If the caller is cancelled, items that are not computed yet are dropped.

        Args:
            kind: One of `computes`.
            items: Items of the request, at least one.
            timeout: Maximum time, in seconds.

        Raises:
            RefusalError: The queue is full (429), the results come too late (504), or the computation failed (500).
            ModelError: An item is invalid.
        """
        job = _Job(kind, list(items))
        with self._changed:
            if self._is_closed or not self.is_alive:
                raise RefusalError(503, "the server is stopping; try again later", {"Retry-After": "5"})
            if self.waiting + len(job.items) > self._limit:
                raise RefusalError(
                    429,
                    f"{self.waiting} texts wait already, and at most {self._limit} may; try again after the seconds of "
                    "the header Retry-After",
                    {"Retry-After": str(self._retry_after())},
                )
            self.waiting += len(job.items)
            self._jobs.append(job)
            self._changed.notify()
        try:
            return await asyncio.wait_for(job.future, timeout)
        except asyncio.TimeoutError:
            raise RefusalError(
                504, f"no answer within {timeout:g} s; send fewer texts at once, or try again later"
            ) from None
        finally:
            self._drop(job)

    def close(self) -> None:
        """Compute what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _retry_after(self) -> int:
        """Seconds until the waiting items are computed, from 1 to 60."""
        return min(_MAX_RETRY, max(1, math.ceil(self.waiting * self._seconds_per_item)))

    def _drop(self, job: _Job) -> None:
        """Remove a job that nobody waits for from the queue."""
        with self._changed:
            job.is_over = True
            if job.waiting:
                with suppress(ValueError):
                    self._jobs.remove(job)
                    self.waiting -= job.waiting

    def _run(self) -> None:
        while parts := self._next():
            start = time.monotonic()
            size = sum(stop - first for _, first, stop in parts)
            for kind in dict.fromkeys(job.kind for job, _, _ in parts):
                self._compute(kind, [part for part in parts if part[0].kind == kind])
            seconds = time.monotonic() - start
            self._seconds_per_item = 0.8 * self._seconds_per_item + 0.2 * seconds / size
            self._observe(size, seconds)

    def _next(self) -> list[tuple[_Job, int, int]]:
        """Wait for items, and take those of the next batch: job, first item, end; none after `close`."""
        with self._changed:
            while not self._jobs and not self._is_closed:
                self._changed.wait_for(lambda: self._jobs or self._is_closed)
                self._gather()
            parts, room = [], self._max_batch
            while self._jobs and room:
                job = self._jobs.popleft()
                first, count = job.taken, min(job.waiting, room)
                job.taken += count
                room -= count
                self.waiting -= count
                parts.append((job, first, job.taken))
                if job.waiting:  # a large request lets the others go first
                    self._jobs.append(job)
            return parts

    def _gather(self) -> None:
        """Wait until the batch is full, or its first item has waited long enough."""
        while self._jobs and self.waiting < self._max_batch and not self._is_closed:
            left = self._jobs[0].arrival + self._max_wait - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _compute(self, kind: str, parts: list[tuple[_Job, int, int]]) -> None:
        """Compute items of one kind together. An error of one request fails no other request."""
        parts = [part for part in parts if not part[0].is_over]
        if not parts:
            return
        try:
            results = self._computes[kind]([item for job, first, stop in parts for item in job.items[first:stop]])
        except Exception as error:  # whatever it is, the thread must live on
            if len(parts) > 1 and isinstance(error, ModelError):
                for part in parts:
                    self._compute(kind, [part])
                return
            if not isinstance(error, ModelError):
                log.error("%s: %s", kind, server_error(error))
                error = RefusalError(500, INTERNAL)
            for job, _, _ in parts:
                job.fail(error)
            return
        position = 0
        for job, first, stop in parts:
            job.put(first, results[position : position + stop - first])
            position += stop - first
