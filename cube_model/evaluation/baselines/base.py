"""Base class of the baselines: pairs with their embeddings, fitting and tuning."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.evaluation.cells import ResultCache
from cube_model.evaluation.methods import Scorer
from cube_model.metrics.metrics import Draws, one_of_batch

Settings = dict[str, Any]
Advance = Callable[[], object]


@dataclass(frozen=True)
class EmbeddedPairs:
    """Pairs and the embeddings of their texts, as returned by `QuestionAnswerPairs.embed`.

    Args:
        pairs: n pairs.
        vectors: float32 `[m + 1, d]`, embeddings of the m texts; the last row is zero and represents a missing turn.
    """

    pairs: QuestionAnswerPairs
    vectors: np.ndarray

    @classmethod
    def of_arrays(cls, questions: np.ndarray, answers: np.ndarray, labels: np.ndarray | None = None) -> EmbeddedPairs:
        """Create pairs without real texts from their embeddings.

        Args:
            questions: float32 `[n, 1 + k, d]` (question, then its k context turns, latest first) or `[n, d]`.
            answers: float32 `[n, d]`.
            labels: int `[n]`, equal for equal answers. By default every answer has its own label.
        """
        questions = questions[:, None] if questions.ndim == 2 else questions
        n, turns, d = questions.shape
        vectors = np.concatenate([questions.reshape(-1, d), answers, np.zeros((1, d))]).astype(np.float32)
        texts = [f"text {i}" for i in range(len(vectors) - 1)]
        pairs = QuestionAnswerPairs(
            texts,
            questions=np.arange(n * turns).reshape(n, turns),
            answers=n * turns + np.arange(n),
            labels=np.arange(n) if labels is None else labels,
            dialogues=np.arange(n),
            sources=["arrays"] * n,
            licenses=["unknown"] * n,
            languages=["und"] * n,
            fingerprint=hashlib.sha256(vectors.tobytes()).hexdigest(),
        )
        return cls(pairs, vectors)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def dimension(self) -> int:
        """Dimension d of the embeddings."""
        return int(self.vectors.shape[1])

    @property
    def turns(self) -> int:
        """Number of turns in a question, 1 + k."""
        return int(self.pairs.questions.shape[1])

    def questions(self, rows: slice | np.ndarray = slice(None), turns: int | None = None) -> np.ndarray:
        """Embeddings of the questions at `rows`, float32 `[b, turns, d]`."""
        return self.vectors[self.pairs.questions[rows, :turns]]

    def answers(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Embeddings of the answers at `rows`, float32 `[b, d]`."""
        return self.vectors[self.pairs.answers[rows]]

    def accuracy(self, method: Scorer, seed: int = 0) -> float:
        """1-of-100 accuracy by text equality over one draw: the criterion for choosing settings and epochs."""
        questions, answers = method.map(self.pairs, self.vectors)
        draws = Draws.of(len(self), draws=1, seed=seed)
        return float(np.nanmean(one_of_batch(questions, answers, self.pairs.labels, draws)[0]))


@dataclass
class Fitted:
    """A fitted baseline.

    Attributes:
        method: The fitted map.
        settings: Settings of the fit.
        accuracy: Accuracy on the pairs that the fit was selected on.
        seconds: Duration of this fit; `Tuning.seconds` covers the whole grid.
    """

    method: Scorer
    settings: Settings
    accuracy: float
    seconds: float = 0.0


@dataclass
class Tuning:
    """Result of a search over settings.

    Attributes:
        best: Fit with the highest validation accuracy; the first in case of a tie.
        tried: Settings and accuracy of every fit.
        seconds: Total duration of all fits.
    """

    best: Fitted
    tried: list[tuple[Settings, float]] = field(default_factory=list)
    seconds: float = 0.0


class Baseline(ABC):
    """A kind of map that is fitted to training pairs.

    Attributes:
        name: Name in tables and on the command line, in snake case.
        grid: Settings that `tune` tries; a single empty entry if `fit` chooses the settings itself.
        learns: Whether the baseline reads the training pairs. If not, one result holds for all training sizes.
        seeded: Whether the fit depends on a seed. If not, equal pairs give equal results.
    """

    name: str
    learns = True
    seeded = True
    grid: tuple[Settings, ...] = ({},)

    @abstractmethod
    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """Fit with one set of settings.

        Args:
            train: Training pairs.
            validation: Pairs that select the best epoch.
            seed: Seed of initialisation, order and noise.
            settings: One entry of `grid`. Default: the first.
        """

    def variants(self, fitted: Fitted) -> list[Fitted]:
        """Return the forms in which a fit is reported: one, except for MAP with and without re-normalisation."""
        return [fitted]

    def tune(
        self,
        train: EmbeddedPairs,
        validation: EmbeddedPairs,
        *,
        seed: int = 0,
        trials: ResultCache | None = None,
        advance: Advance | None = None,
    ) -> Tuning:
        """Fit with every entry of `grid` and keep the fit with the best validation accuracy.

        Args:
            train: See `fit`.
            validation: See `fit`.
            seed: See `fit`.
            trials: Cache of finished trials, which are not fitted again.
            advance: Called after each entry of `grid`.
        """
        best: Fitted | None = None
        tried: list[tuple[Settings, float]] = []
        seconds = 0.0
        for settings in self.grid:
            facts = {"trial": json.dumps(settings, sort_keys=True)}
            trial = trials.get(facts) if trials else None
            if trial is None:
                fitted = self.fit(train, validation, seed=seed, settings=settings)
                trial = {"accuracy": fitted.accuracy, "seconds": fitted.seconds}
                if trials:
                    trials.put(facts, trial)
                if best is None or fitted.accuracy > best.accuracy:
                    best = fitted
            tried.append((settings, trial["accuracy"]))
            seconds += trial["seconds"]
            if advance:
                advance()
        settings, _ = max(tried, key=lambda trial: trial[1])  # the first in case of a tie
        if best is None or (best.settings != settings and self.grid != ({},)):
            best = self.fit(train, validation, seed=seed, settings=settings)  # its trial came from the cache
        return Tuning(best, tried, seconds)
