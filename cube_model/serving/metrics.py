"""Metrics for Prometheus. They have numbers and names of paths only, never a text of a user."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

MEDIA_TYPE = CONTENT_TYPE_LATEST
"""Media type of `Metrics.text`."""

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of a server.

    Args:
        waiting: Number of texts that wait now.
        version: Version of the answers; None for an encoder alone.
    """

    def __init__(self, waiting: Callable[[], float], version: Callable[[], float] | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            registry.register(collector)
        self._requests = Counter(
            "dialogue_cube_requests", "Requests by path and HTTP status.", ("path", "status"), registry=registry
        )
        self._seconds = Histogram(
            "dialogue_cube_request_seconds",
            "Time from the arrival of a request to its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_texts = Histogram(
            "dialogue_cube_batch_texts", "Texts computed together.", buckets=_TEXTS, registry=registry
        )
        self._batch_seconds = Histogram(
            "dialogue_cube_batch_seconds", "Time that a batch took.", buckets=_SECONDS, registry=registry
        )
        self._replies = Counter(
            "dialogue_cube_replies", "Replies by whether an answer is known.", ("is_known",), registry=registry
        )
        Gauge("dialogue_cube_waiting_texts", "Texts that wait now.", registry=registry).set_function(waiting)
        if version is not None:
            gauge = Gauge("dialogue_cube_answers_version", "Version of the answers.", registry=registry)
            gauge.set_function(version)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Record a request.

        Args:
            path: Path of the application, or another fixed word.
            status: HTTP status.
            seconds: Time that it took.
        """
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, texts: int, seconds: float) -> None:
        """Record a batch."""
        self._batch_texts.observe(texts)
        self._batch_seconds.observe(seconds)

    def reply(self, is_known: bool) -> None:
        """Record a reply."""
        self._replies.labels(str(is_known).lower()).inc()

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
