"""How far each method is from the core, on the same pairs: an interval that is narrower than those of both sides.

Both intervals of 1-of-100 are wide mostly because some dialogues are harder than others, for every method. The samples
of `metrics.bootstrap` draw the same dialogues for each method, so that this falls away in their difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cube_model.metrics.metrics import percentile_interval

METRIC = "accuracy_1_of_100"

SAMPLES = "bootstrap_samples"
"""Of an entry on the way to the JSON, where `without_samples` leaves it out."""


def differences(entries: Iterable[Mapping[str, Any]], reference: str = "core") -> list[dict[str, Any]]:
    """Method minus reference with its 95 % interval, means over the seeds of both.

    Args:
        entries: Of `results`, those of `METRIC` with `SAMPLES`.
        reference: Method that all others of the same source and training size are compared with. A method that does
            not learn is compared with the reference at every size.
    """
    lines: dict[tuple[str, str, int | None], list[Mapping[str, Any]]] = {}
    for entry in entries:
        if entry["metric"] == METRIC and SAMPLES in entry:
            lines.setdefault((entry["source"], entry["method"], entry["train_size"]), []).append(entry)
    found = []
    for (source, against, size), own in lines.items():
        if against != reference:
            continue
        for (other_source, method, train_size), others in lines.items():
            if other_source != source or method == reference or train_size not in (size, None):
                continue
            low, high = percentile_interval(_samples(others) - _samples(own))
            found.append(
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
    return sorted(found, key=lambda each: (each["source"], each["train_size"] or 0, -each["value"], each["method"]))


def without_samples(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it is written."""
    return {key: value for key, value in entry.items() if key != SAMPLES}


def _mean(entries: list[Mapping[str, Any]]) -> float:
    return float(np.mean([entry["value"] for entry in entries]))


def _samples(entries: list[Mapping[str, Any]]) -> np.ndarray:
    return np.mean([entry[SAMPLES] for entry in entries], axis=0)
