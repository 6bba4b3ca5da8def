"""Pages are drawn a few at a time, whoever else waits.

Streamlit draws the page of each visitor in a thread of its own. Two hundred at once starve the thread that sends the
pages: Python switches between all of them before it is that thread's turn again, so nobody gets a page for a long time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

MOST = 4
"""Pages that are drawn at the same time."""

STUCK = 20.0
"""Seconds without a finished page after which a visitor waits no longer, since others wait for a slow search."""


class Turns:
    """Turns of visitors.

    Args:
        most: Pages that are drawn at the same time.
        stuck: Seconds without a finished page after which a visitor waits no longer.

    Example:
        >>> with Turns().taken():
        ...     drawn = True
    """

    def __init__(self, most: int = MOST, stuck: float = STUCK) -> None:
        self._free, self._stuck, self._finished = Semaphore(most), stuck, time.monotonic()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn and hold it; also given up by the exceptions with which Streamlit ends a script."""
        is_free = False
        while not is_free:
            is_free = self._free.acquire(timeout=self._stuck)
            if not is_free and time.monotonic() - self._finished > self._stuck:
                break
        try:
            yield
        finally:
            self._finished = time.monotonic()
            if is_free:
                self._free.release()


TURNS = Turns()
"""Of all visitors of this process."""
