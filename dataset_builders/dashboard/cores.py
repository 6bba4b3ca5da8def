"""Trained cores, found by entry point, never imported: the page works without them and says what is missing.

A package offers them with a class registered in its `pyproject.toml`:

    [project.entry-points."dialogue_cube.dashboard"]
    cores = "cube_model.dashboard:Cores"
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

ENTRY_POINTS = "dialogue_cube.dashboard"


class OpenCore(Protocol):
    """A trained core and its teacher."""

    @property
    def facts(self) -> dict[str, Any]:
        """`teacher` (name), `lattice` (its sides), `steps`, `parameters`, `mode`."""
        ...

    def rank(self, question: str, context: Sequence[str], answers: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The k best of the distinct `answers`, best first: index and cosine.

        Args:
            question: The user's turn.
            context: Turns before it, oldest first.
            answers: Texts to choose from; their vectors are kept for the next question.
            k: Answers wanted.
        """
        ...

    def lattice(self, question: str) -> np.ndarray:
        """State of every cell, float32 `[steps + 1, x, y, z]`: before the first step and after each."""
        ...


class Cores(Protocol):
    """What can be read of training and comparing cores."""

    def leaderboard(self, file: Path) -> list[dict[str, Any]]:
        """A row a method, training size and tested source, best first within a source and size.

        `source`, `method`, `pairs` (training pairs; None: all of them, or nothing is learned), `parameters`, `seeds`,
        `accuracy` (1-of-100), `low`, `high` (its 95 % interval), `mrr`, `cosine` (mean, to the true answer),
        `seconds` (of training), `microseconds` (a query).
        """
        ...

    def differences(self, file: Path) -> list[dict[str, Any]]:
        """How far each method is from the one it was compared with, on the same pairs, best first.

        `source`, `method`, `minus` (the other), `pairs` (as above), `difference` (1-of-100 of the method minus that of
        the other), `low`, `high` (its 95 % interval). Empty for a leaderboard without such figures.
        """
        ...

    def training(self, folder: Path) -> list[dict[str, Any]]:
        """A row an epoch: `epoch`, `loss`, and the figures on the validation pairs by their names."""
        ...

    def open(self, folder: Path) -> OpenCore:
        """Load a core and find its teacher."""
        ...


def find_cores() -> Cores | None:
    """What the first installed package offers, packages in order of their names; None when there is none."""
    offers = sorted(entry_points(group=ENTRY_POINTS), key=lambda offer: offer.name)
    return cast(Cores, offers[0].load()()) if offers else None
