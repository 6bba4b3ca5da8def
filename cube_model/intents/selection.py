"""Settings of a head, its temperature and its figures, by cross-validation on the training rows alone.

A small set is divided into folds, and a scorer trained on the other folds judges each of them. Of a large set, one part
is held out instead. The settings with the lowest log loss after calibration win: on few rows, accuracy is too coarse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cube_model.intents.calibration import fit_temperature, log_loss
from cube_model.intents.scorer import Scorer, Settings, fit_scorer

STRENGTHS = (3.0, 10.0, 30.0, 100.0)
NEIGHBOURS = (0.0, 2.0, 5.0, 10.0)

FOLDS = 5
_ONE_PART = 3_000
"""Number of rows from which on one of the parts is held out, instead of each in turn."""


@dataclass(frozen=True)
class Selection:
    """What cross-validation selected.

    Attributes:
        settings: The settings.
        temperature: See `calibration.fit_temperature`.
        rows: Numbers of the held-out rows, int64 `[h]`.
        logits: Their logits by scorers that have not seen them, float32 `[h, k]`.
        nearest: Their cosines to the nearest example of any label, float32 `[h]`.
        loss: Their calibrated log-loss.
        folds: Number of folds; 1: one part was held out.
    """

    settings: Settings
    temperature: float
    rows: np.ndarray
    logits: np.ndarray
    nearest: np.ndarray
    loss: float
    folds: int


def select(vectors: np.ndarray, targets: np.ndarray, names: np.ndarray | None, *, single: bool, seed: int) -> Selection:
    """Choose the settings of a scorer.

    The strength is chosen first, with the names if there are any, then whether the names help; the weight of the
    nearest example needs no further training, so that every weight is compared each time.

    Args:
        vectors: Training vectors of norm 1, float32 `[n, d]`.
        targets: bool `[n, k]`; each label has two different rows.
        names: Vectors of the labels' names, float32 `[k, d]`; None: there are none.
        single: Whether a row has one label.
        seed: Seed of the folds.
    """
    rows = _distinct(vectors, targets)
    folds = _folds(targets[rows], seed)
    one_part = len(rows) > _ONE_PART
    held = [rows[folds == fold] for fold in range(1 if one_part else folds.max() + 1)]
    held = [part for part in held if len(part)]
    judge = _Judge(vectors, targets, names, held, single, seed)
    best = min((judge.selection(strength, names is not None) for strength in STRENGTHS), key=lambda each: each.loss)
    if names is not None:
        best = min((best, judge.selection(best.settings.strength, False)), key=lambda each: each.loss)
    return best


@dataclass(frozen=True)
class _Judge:
    vectors: np.ndarray
    targets: np.ndarray
    names: np.ndarray | None
    held: list[np.ndarray]
    single: bool
    seed: int

    def selection(self, strength: float, names: bool) -> Selection:
        """Judge one strength with every weight of the nearest example."""
        rows = np.concatenate(self.held)
        parts = list(self._parts(Settings(strength, 0.0, names)))
        linear, nearest = (np.concatenate([part[number] for part in parts]) for number in (0, 1))
        return min((self._of(strength, names, weight, rows, linear, nearest) for weight in NEIGHBOURS), key=_loss)

    def _parts(self, settings: Settings) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        for part in self.held:
            learnt = np.ones(len(self.vectors), dtype=bool)
            learnt[part] = False
            rows = np.flatnonzero(learnt)
            present = np.asarray(self.targets[rows].any(0))
            if present.all():
                yield self._scores(rows, part, settings, self.targets, self.names)
            else:  # a label of several has all of its rows in this part
                names = None if self.names is None else self.names[present]
                scores = self._scores(rows, part, settings, self.targets[:, present], names)
                yield _spread(scores[0], present), _spread(scores[1], present)

    def _scores(
        self, rows: np.ndarray, part: np.ndarray, settings: Settings, targets: np.ndarray, names: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        scorer: Scorer = fit_scorer(
            self.vectors[rows], targets[rows], names, settings, single=self.single, seed=self.seed, is_precise=False
        )
        return scorer.linear.logits(self.vectors[part]), scorer.nearest(self.vectors[part])

    def _of(
        self, strength: float, names: bool, weight: float, rows: np.ndarray, linear: np.ndarray, nearest: np.ndarray
    ) -> Selection:
        logits, targets = Scorer.combined(linear, nearest, weight), self.targets[rows]
        temperature = fit_temperature(logits, targets, single=self.single)
        loss = log_loss(logits, targets, temperature, single=self.single)
        return Selection(
            Settings(strength, weight, names), temperature, rows, logits, nearest.max(1), loss, len(self.held)
        )


def distinct_counts(vectors: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the number of different rows of each label, int64 `[k]`."""
    return np.asarray(targets[_distinct(vectors, targets)].sum(0), dtype=np.int64)


def _loss(selection: Selection) -> float:
    return selection.loss


def _distinct(vectors: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The first of equal rows: a row that training has seen would be judged as if it were new."""
    first: dict[bytes, int] = {}
    for number, (vector, target) in enumerate(zip(vectors, targets, strict=True)):
        first.setdefault(vector.tobytes() + target.tobytes(), number)
    return np.fromiter(first.values(), dtype=np.int64, count=len(first))


def _folds(targets: np.ndarray, seed: int) -> np.ndarray:
    """Deal the rows of each label to the folds in turn, those of rare labels first; int64 `[n]`."""
    counts = targets.sum(0)
    rarest = np.where(targets, counts, np.iinfo(np.int64).max).argmin(1)
    rarest[~targets.any(1)] = len(counts)
    order = np.random.default_rng(seed).permutation(len(targets))
    order = order[np.argsort(rarest[order], kind="stable")]
    folds = np.empty(len(targets), dtype=np.int64)
    folds[order] = np.arange(len(order)) % FOLDS
    return folds


def _spread(scores: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Give labels without a row the lowest score."""
    result = np.full((len(scores), len(present)), scores.min() - 1, dtype=np.float32)
    result[:, present] = scores
    return result
