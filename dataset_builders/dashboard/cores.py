"""Trained cores and assistants, loaded through an entry point, so that the page also works without them.

A package offers them with a class that its `pyproject.toml` registers:

    [project.entry-points."dialogue_cube.dashboard"]
    cores = "cube_model.evaluation.leaderboard.dashboard:Cores"
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

ENTRY_POINTS = "dialogue_cube.dashboard"


class OpenCore(Protocol):
    """A trained core and its teacher."""

    @property
    def facts(self) -> dict[str, Any]:
        """`teacher` (name), `lattice` (its shape), `steps`, `parameters` (their number), `mode`."""
        ...

    def rank(self, question: str, context: Sequence[str], answers: Sequence[str], k: int) -> list[tuple[int, float]]:
        """(index, cosine) of the k best answers, best first.

        Args:
            question: The user's turn.
            context: Turns before it, oldest first.
            answers: Distinct candidate answers; their embeddings are cached for the next question.
            k: Number of answers to return.
        """
        ...

    def lattice(self, question: str, context: Sequence[str] = ()) -> np.ndarray:
        """States of the cells with more and more of the context, float32 of shape (1 + turns, steps + 1, x, y, z).

        Args:
            question: The user's turn.
            context: Turns before it, oldest first; the core reads the last few.
        """
        ...


class OpenAssistant(Protocol):
    """An assistant, which answers from questions and answers."""

    @property
    def facts(self) -> dict[str, Any]:
        """`encoder` (name), `answers` (number), `threshold`, `refused` (largest share or None), `intents` (if any)."""
        ...

    def reply(self, question: str, k: int) -> dict[str, Any]:
        """Reply to a question.

        `is_known`, `confidence`, `answers` (best first: `id`, `text`, `confidence`, `question`, `source`, `license`,
        `language`, `dialogue_id`, `similar`), `topics` (nearest first: `name`, `similarity`).
        """
        ...

    def intent(self, question: str) -> dict[str, Any]:
        """`label` (None if out of scope), `probability`, `alternatives` (pairs of label and probability)."""
        ...


class Cores(Protocol):
    """Access to trained cores and to the results of training and comparison."""

    def leaderboard(self, file: Path) -> list[dict[str, Any]]:
        """One row per method, training size and tested source, best first within a source and size.

        `source`, `method`, `pairs` (number of training pairs; None for all of them or for a method that does not
        learn), `parameters`, `seeds`, `accuracy` (1-of-100), `low`, `high` (its 95 % interval), `mrr`, `cosine` (mean,
        to the true answer), `seconds` (training time), `microseconds` (time of a query).
        """
        ...

    def differences(self, file: Path) -> list[dict[str, Any]]:
        """The difference of each method to the method that it is compared with, on the same pairs, best first.

        `source`, `method`, `minus` (the other method), `pairs` (as above), `difference` (1-of-100 accuracy minus that
        of the other method), `low`, `high` (its 95 % interval). Empty for a leaderboard without differences.
        """
        ...

    def training(self, folder: Path) -> list[dict[str, Any]]:
        """One row per epoch: `epoch`, `loss`, and the results on the validation pairs by their names."""
        ...

    def flow(self, folder: Path) -> dict[str, Any]:
        """A flow: the steps of dialogues and the transitions between them.

        `page` (HTML that loads nothing), `figures` (`dialogues`, `turns`, `steps`, `transitions`; `nodes` and
        `true_nodes`, those of the annotated actions, are None without acts), `steps` (`step`, `speaker`, `turns`,
        `dialogues`, `utterance`, `action`) and `transitions` (`from`, `to`, `transitions`, `probability`), as rows.
        """
        ...

    def open(self, folder: Path) -> OpenCore:
        """Load a core and its teacher."""
        ...

    def assistant(self, folder: Path) -> OpenAssistant:
        """Load an assistant and its encoder."""
        ...


def find_cores() -> Cores | None:
    """The cores of the first installed package that offers any, in alphabetical order; None without such a package."""
    offers = sorted(entry_points(group=ENTRY_POINTS), key=lambda offer: offer.name)
    return cast(Cores, offers[0].load()()) if offers else None


def cores_for(page: Page, folders: Sequence[str], none: str) -> Cores | None:
    """The cores for a tab about some folders; without a package or a folder, a hint and None.

    Args:
        page: The page.
        folders: Folders that the command has for this tab.
        none: Text of the hint if there is no folder.
    """
    cores = find_cores()
    if cores is None or not folders:
        page.nothing(none if cores else "model.not_installed")
        return None
    return cores
