"""Figures of a head by cross-validation: how right it is, how sure, and which labels it takes for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cube_model.intents.calibration import calibration_error
from cube_model.intents.selection import Selection
from cube_model.metrics.action_metrics import multilabel_counts, multilabel_f1

FEW = 8
"""Number of examples below which a label is reported as one with too few."""

_CONFUSIONS = 50
"""Largest number of confusions that are kept."""


@dataclass(frozen=True)
class Validation:
    """Figures of h held-out rows, and the settings that did best on them.

    Attributes:
        figures: With one label a row `accuracy` and `macro_f1`, with several `micro_f1`, `macro_f1` and the share of
            rows with exactly the right labels as `accuracy`; `calibration_error` of the most probable label;
            `log_loss`.
        rows: Number of held-out rows.
        folds: Number of folds; 1: one part was held out.
        settings: `strength`, `neighbours` and `names`; see `scorer.Settings`.
        labels: `examples` of each label, and `recall` of the held-out ones, None without any.
        confusions: Label, predicted label and number of rows, the most frequent ones first; with one label a row only.
    """

    figures: dict[str, float]
    rows: int
    folds: int
    settings: dict[str, Any]
    labels: dict[str, dict[str, Any]]
    confusions: list[tuple[str, str, int]]

    @property
    def few(self) -> list[str]:
        """Labels with fewer than `FEW` examples."""
        return [name for name, facts in self.labels.items() if facts["examples"] < FEW]


def validate(
    names: Sequence[str],
    targets: np.ndarray,
    held: np.ndarray,
    values: np.ndarray,
    selection: Selection,
    threshold: float | None,
) -> Validation:
    """Compute the figures.

    Args:
        names: k labels.
        targets: Labels of all training rows, bool `[n, k]`.
        held: Labels of the held-out rows, bool `[h, k]`.
        values: Probabilities of the held-out rows, float `[h, k]`.
        selection: What cross-validation selected.
        threshold: Probability from which a label applies; None with one label a row.
    """
    best = values.argmax(1)
    is_right = held[np.arange(len(held)), best]
    predicted = values >= threshold if threshold is not None else np.eye(len(names), dtype=bool)[best]
    micro, macro = multilabel_f1(*multilabel_counts(held, predicted))
    figures = {"accuracy": float((predicted == held).all(1).mean()), "macro_f1": float(macro)}
    if threshold is not None:
        figures["micro_f1"] = float(micro)
    figures["calibration_error"] = calibration_error(values.max(1), is_right)
    figures["log_loss"] = selection.loss
    hits, counts = (held & predicted).sum(0), held.sum(0)
    labels = {
        name: {"examples": int(number), "recall": round(hit / count, 4) if count else None}
        for name, number, hit, count in zip(names, targets.sum(0), hits.tolist(), counts.tolist(), strict=True)
    }
    confusions: list[tuple[str, str, int]] = []
    if threshold is None:
        pairs = np.stack([held.argmax(1), best])[:, ~is_right]
        distinct, numbers = np.unique(pairs, axis=1, return_counts=True)
        order = np.argsort(-numbers, kind="stable")[:_CONFUSIONS]
        confusions = [
            (names[true], names[other], int(number))
            for (true, other), number in zip(distinct.T[order].tolist(), numbers[order], strict=True)
        ]
    settings = {
        "strength": selection.settings.strength,
        "neighbours": selection.settings.neighbours,
        "names": selection.settings.names,
    }
    rounded = {name: round(value, 6) for name, value in figures.items()}
    return Validation(rounded, len(held), selection.folds, settings, labels, confusions)
