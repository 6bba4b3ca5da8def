"""What the tasks of the benchmark share: what is judged, a part with its cached results, and the form of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.cells import Facts
from cube_model.evaluation.intents.scoring import interval_of_mean

if TYPE_CHECKING:
    from cube_model.evaluation.benchmark.config import BenchmarkConfig
    from cube_model.evaluation.intents.encoder import IntentEncoder
    from cube_model.vectors.cache import EmbeddingCache

Entry = dict[str, Any]

Encode = Callable[[Sequence[str]], np.ndarray]
"""Function from n texts to embeddings, float32 `[n, d]`, with rows of norm 1."""


@dataclass(frozen=True)
class Subject:
    """What is judged, and how.

    Attributes:
        config: Configuration.
        encoder: Encoder, perhaps with a core on top.
        cache: Embedding cache.
        seen: Sources of its training; None if that is not recorded.
        progress: Whether to show progress bars.
    """

    config: BenchmarkConfig
    encoder: IntentEncoder
    cache: EmbeddingCache
    seen: frozenset[str] | None
    progress: bool = False

    def has_seen(self, source: str) -> bool | None:
        """Return whether the encoder was trained on a source; None if that is not recorded."""
        return None if self.seen is None else source in self.seen


@dataclass(frozen=True)
class Part:
    """A part of the benchmark whose results are cached together.

    Attributes:
        name: Name for progress messages, such as `"actions: sgd (en)"`.
        facts: What the results depend on, besides the encoder.
        compute: Function that returns the results.
    """

    name: str
    facts: Facts
    compute: Callable[[], list[Entry]]


def figure(metric: str, value: float, interval: tuple[float, float] | None, over: str) -> Entry:
    """Return the entries of a result that describe a figure.

    Args:
        metric: Name of the metric.
        value: The figure.
        interval: Ends of its 95 % interval; None if it has none.
        over: What the interval is over, such as `"draws"`.
    """
    return {
        "metric": metric,
        "value": float(value),
        "ci95": None if interval is None else [float(end) for end in interval],
        "ci95_of": None if interval is None else over,
    }


def figure_of_draws(metric: str, values: Sequence[float]) -> Entry:
    """Return the mean over draws with Student's interval and the standard deviation, which publications report."""
    entry = figure(metric, float(np.mean(values)), interval_of_mean(values), "draws")
    return {**entry, "standard_deviation": float(np.std(values))}


def sample(count: int, limit: int | None, seed: int) -> np.ndarray:
    """Return at most `limit` of the numbers from 0 to `count` - 1, at random, in their order; all without a limit."""
    if limit is None or count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))
