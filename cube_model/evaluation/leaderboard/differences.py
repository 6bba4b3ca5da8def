"""Paired differences between each method and the core.

The interval of a difference is narrower than those of the two methods. Their intervals of 1-of-100 are wide mostly
because some dialogues are harder than others for every method. `metrics.bootstrap` samples the same dialogues for each
method, so this variation cancels out in the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cube_model.metrics.metrics import percentile_interval

METRIC = "accuracy_1_of_100"

SAMPLES = "bootstrap_samples"
"""Key of the bootstrap samples in an entry; `without_samples` removes it before the JSON is written."""


def differences(entries: Iterable[Mapping[str, Any]], reference: str = "core") -> list[dict[str, Any]]:
    """Return the difference of each method to a reference, averaged over the seeds, with its 95 % interval.

    Args:
        entries: Entries of `results`; only those of `METRIC` with `SAMPLES` are used.
        reference: Method to compare with at the same source and training size. A method that does not learn is
            compared with it at every size.
    """
    lines: dict[tuple[str, str, int | None], list[Mapping[str, Any]]] = {}
    for entry in entries:
        if entry["metric"] == METRIC and SAMPLES in entry:
            lines.setdefault((entry["source"], entry["method"], entry["train_size"]), []).append(entry)
    rows = []
    for (source, name, size), own in lines.items():
        if name != reference:
            continue
        for (other_source, method, train_size), others in lines.items():
            if other_source != source or method == reference or train_size not in (size, None):
                continue
            low, high = percentile_interval(_samples(others) - _samples(own))
            rows.append(
                {
                    "source": source,
                    "metric": METRIC,
                    "method": method,
                    "minus": reference,
                    "train_size": size,
                    "value": _mean(others) - _mean(own),
                    "ci95": [low, high],
                }
            )
    return sorted(rows, key=lambda each: (each["source"], each["train_size"] or 0, -each["value"], each["method"]))


def without_samples(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as it is written to the JSON."""
    return {key: value for key, value in entry.items() if key != SAMPLES}


def _mean(entries: list[Mapping[str, Any]]) -> float:
    return float(np.mean([entry["value"] for entry in entries]))


def _samples(entries: list[Mapping[str, Any]]) -> np.ndarray:
    return np.mean([entry[SAMPLES] for entry in entries], axis=0)
