"""Means over the sources of a figure, of those seen in training and of the others apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cube_model.evaluation.benchmark.part import Entry, figure
from cube_model.evaluation.intents.run import MEAN

_MEASURE = ("task", "setting", "metric", "predicts", "contaminated")
"""What entries of different sources have in common in a mean, besides the protocol."""

_WITHOUT_MEAN = ("cost",)


def means(results: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the mean over sources of each figure; a source with several languages counts once.

    Args:
        results: Entries of all parts.
    """
    groups: dict[tuple[Any, ...], dict[str, list[Entry]]] = {}
    for entry in results:
        if entry["task"] not in _WITHOUT_MEAN and entry["language"] != MEAN:
            protocol = entry["protocol"].partition(";")[0]  # without what is said of samples
            key = (entry["seen"], protocol, *(entry.get(name) for name in _MEASURE))
            groups.setdefault(key, {}).setdefault(entry["source"], []).append(entry)
    for (seen, protocol, *measure), sources in groups.items():
        if len(sources) < 2:
            continue
        figures = [_mean([(entry["value"], _half(entry)) for entry in entries]) for entries in sources.values()]
        value, half = _mean(figures)
        first = next(iter(sources.values()))[0]
        shared = {name: value for name, value in zip(_MEASURE, measure, strict=True) if value is not None}
        yield {
            **shared,
            "protocol": protocol,
            "source": MEAN,
            "language": MEAN,
            "seen": seen,
            **figure(first["metric"], value, None if half is None else (value - half, value + half), "their intervals"),
            "sources": list(sources),
        }


def _half(entry: Entry) -> float | None:
    return (entry["ci95"][1] - entry["ci95"][0]) / 2 if entry["ci95"] else None


def _mean(figures: Sequence[tuple[float, float | None]]) -> tuple[float, float | None]:
    """Mean of independent figures, and half its interval: the sources are fixed, only their figures are uncertain."""
    values, halves = zip(*figures, strict=True)
    spread = None if None in halves else float(np.sqrt(np.sum(np.square(halves)))) / len(halves)
    return float(np.mean(values)), spread
