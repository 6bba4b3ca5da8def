"""What every baseline shares: the pairs with their vectors, and how it is fitted and tuned."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.evaluation.methods import Scorer
from cube_model.metrics.metrics import Draws, one_of_batch

Settings = dict[str, Any]
Advance = Callable[[], object]


@dataclass(frozen=True)
class EmbeddedPairs:
    """Pairs and the vectors of their texts, as `QuestionAnswerPairs.embed` gives them.

    Args:
        pairs: n pairs.
        vectors: float32 `[m + 1, d]`; the last row is zero, for turns that are not there.
    """

    pairs: QuestionAnswerPairs
    vectors: np.ndarray

    @classmethod
    def of_arrays(cls, questions: np.ndarray, answers: np.ndarray, labels: np.ndarray | None = None) -> EmbeddedPairs:
        """Pairs without texts.

        Args:
            questions: float32 `[n, 1 + k, d]` (question, then the turns before it) or `[n, d]`.
            answers: float32 `[n, d]`.
            labels: int `[n]`, equal for equal answers; all different when not given.
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
        """D."""
        return int(self.vectors.shape[1])

    @property
    def turns(self) -> int:
        """1 + k."""
        return int(self.pairs.questions.shape[1])

    def questions(self, rows: slice | np.ndarray = slice(None), turns: int | None = None) -> np.ndarray:
        """Vectors `[b, turns, d]` of the questions at `rows`."""
        return self.vectors[self.pairs.questions[rows, :turns]]

    def answers(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Vectors `[b, d]` of the answers at `rows`."""
        return self.vectors[self.pairs.answers[rows]]

    def accuracy(self, method: Scorer, seed: int = 0) -> float:
        """1-of-100 accuracy by text equality, one draw: what settings and epochs are chosen by."""
        questions, answers = method.map(self.pairs, self.vectors)
        draws = Draws.of(len(self), draws=1, seed=seed)
        return float(np.nanmean(one_of_batch(questions, answers, self.pairs.labels, draws)[0]))


@dataclass
class Fitted:
    """A fitted baseline.

    Attributes:
        method: The map.
        settings: Chosen settings.
        accuracy: What it reached on the pairs it was chosen by.
        seconds: Of this fit alone; what other settings of the grid took is in `Tuning`.
    """

    method: Scorer
    settings: Settings
    accuracy: float
    seconds: float = 0.0


@dataclass
class Tuning:
    """What a search over settings found.

    Attributes:
        best: The fit with the highest accuracy on validation; the first of equals.
        tried: Settings and accuracy of every fit.
        seconds: All of them together.
    """

    best: Fitted
    tried: list[tuple[Settings, float]] = field(default_factory=list)
    seconds: float = 0.0


class Baseline(ABC):
    """One kind of map, fitted on training pairs.

    Attributes:
        name: Snake case; the name in tables and on the command line.
        grid: Settings that `tune` tries. A baseline that chooses its settings in closed form has one empty entry.
        learns: Reads the training pairs; without, one result holds for all training sizes.
        seeded: Starts or draws at random; without, equal pairs give equal results.
    """

    name: str
    learns = True
    seeded = True
    grid: tuple[Settings, ...] = ({},)

    @abstractmethod
    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """Fit once.

        Args:
            train: Pairs to learn from.
            validation: Pairs to choose the best epoch by.
            seed: Of initialisation, order and noise.
            settings: One entry of `grid`; its first when not given.
        """

    def variants(self, fitted: Fitted) -> list[Fitted]:
        """The fit under every name that it is reported under; one, but for MAP with and without re-normalisation."""
        return [fitted]

    def tune(
        self,
        train: EmbeddedPairs,
        validation: EmbeddedPairs,
        *,
        seed: int = 0,
        known: MutableMapping[str, Any] | None = None,
        advance: Advance | None = None,
    ) -> Tuning:
        """Fit with every entry of `grid` and keep the best on validation.

        Args:
            train: See `fit`.
            validation: See `fit`.
            seed: See `fit`.
            known: Trials by their settings, as JSON; those that are in it are not fitted again, others are put in.
            advance: Called after each entry.
        """
        known = {} if known is None else known
        best: Fitted | None = None
        trials = []
        for settings in self.grid:
            key = json.dumps(settings, sort_keys=True)
            if key not in known:
                fitted = self.fit(train, validation, seed=seed, settings=settings)
                known[key] = {"accuracy": fitted.accuracy, "seconds": fitted.seconds}
                if best is None or fitted.accuracy > best.accuracy:
                    best = fitted
            trials.append((settings, known[key]["accuracy"], known[key]["seconds"]))
            if advance:
                advance()
        settings, *_ = max(trials, key=lambda trial: trial[1])  # the first of equals
        if best is None or (best.settings != settings and self.grid != ({},)):
            best = self.fit(train, validation, seed=seed, settings=settings)  # its trial was known
        return Tuning(best, [trial[:2] for trial in trials], sum(trial[2] for trial in trials))
