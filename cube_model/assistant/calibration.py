"""When to refuse: the probability that the best answer is right, and the threshold below which it is not given.

Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates, arXiv:2107.07511): of m answerable questions that
the probabilities were not fitted to, the `floor(share * (m + 1))`-th smallest probability is the threshold. Of further
questions of the same kind, at most `share` is then expected below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.assistant.logistic import Logistic
from cube_model.assistant.retrieval import FEATURES
from cube_model.errors import ModelError

CALIBRATION = "calibration.json"

FEW = 200
"""Answerable questions below which the probabilities and the threshold share them, by cross-fitting."""

FEWEST = 10
"""Answerable questions below which nothing is promised."""

_FOLDS = 5
_BINS = 10
_REFUSED = 0.9
"""Share of the unanswerable questions that the threshold refuses where no answerable ones are known."""


@dataclass(frozen=True)
class Questions:
    """n questions to calibrate on.

    Attributes:
        features: float64 `[n, d]`; see `FEATURES`.
        answerable: bool `[n]`: whether the entries have an answer to it.
        right: bool `[n]`: whether the best answer is right.
        groups: int64 `[n]`: equal for questions that depend on each other, such as those of a dialogue.
        kinds: n names of how the question was made; those of one kind count together as much as those of another.
        altered: Whether the answerable ones are entries with words left out, since no entry has a paraphrase.
    """

    features: np.ndarray
    answerable: np.ndarray
    right: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray
    altered: bool = False

    @property
    def sample(self) -> np.ndarray:
        """float64 `[n]`: what each question counts; those that have an answer as much as those that have none."""
        result = np.zeros(len(self.kinds))
        for answerable in (False, True):
            kinds = np.unique(self.kinds[self.answerable == answerable])
            for kind in kinds:
                mask = (self.kinds == kind) & (self.answerable == answerable)
                result[mask] = len(self.kinds) / 2 / len(kinds) / mask.sum()
        return result

    def select(self, mask: np.ndarray) -> Questions:
        """Return some of the questions."""
        parts = (self.features, self.answerable, self.right, self.groups, self.kinds)
        return Questions(*(part[mask] for part in parts), altered=self.altered)


@dataclass(frozen=True)
class Calibration:
    """Probabilities of answers, and the threshold of a refusal.

    Attributes:
        regression: Probability that an answer is right, by `FEATURES`.
        threshold: Probability below which the reply is "I do not know".
        record: How it was calibrated, what is promised, and the figures on the calibration questions.
    """

    regression: Logistic
    threshold: float
    record: dict[str, Any] = field(default_factory=dict)

    def confidence(self, features: np.ndarray) -> np.ndarray:
        """Return the probability that each answer is right: features `[n, d]` to float64 `[n]`."""
        return self.regression.probability(features)

    def as_json(self) -> dict[str, Any]:
        """Return the content of `calibration.json`."""
        return {"features": FEATURES, **self.regression.as_json(), "threshold": self.threshold, **self.record}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], file: Path) -> Calibration:
        """Return the calibration that `as_json` described.

        Raises:
            ModelError: It is of another version, or damaged.
        """
        content = dict(content)
        if tuple(content.pop("features", ())) != FEATURES:
            raise ModelError(f"{file}: of another version of this package; build the assistant again")
        numbers = {name: content.pop(name, None) for name in ("mean", "scale", "weights", "bias")}
        threshold = content.pop("threshold", None)
        try:
            regression = Logistic.from_json(numbers)
            if not all(len(part) == len(FEATURES) for part in (regression.mean, regression.scale, regression.weights)):
                raise ValueError("another number of features")
            return cls(regression, float(threshold), content)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise ModelError(f"{file}: damaged ({error}); build the assistant again") from error


def calibrate(questions: Questions, max_refused: float, seed: int) -> Calibration:
    """Fit the probabilities and choose the threshold.

    Args:
        questions: Questions that have an answer, and questions that have none.
        max_refused: Largest share of the answerable questions that may be refused.
        seed: Seed of the halves.

    Raises:
        ModelError: There are no questions of one of the two kinds.
    """
    if questions.answerable.all() or not questions.answerable.any():
        raise ModelError("nothing to calibrate on: pass more questions, or --out-of-scope FILE")
    count = int(questions.answerable.sum())
    if count >= FEW and not questions.altered:
        method, fitted = "split conformal", _half(questions, seed)
        regression, questions = _fit(questions.select(fitted)), questions.select(~fitted)
        confidence = regression.probability(questions.features)
    else:
        method = "conformal by cross-fitting"
        confidence, regression = _cross_fitted(questions, seed), _fit(questions)
    ranks = math.floor(max_refused * (questions.answerable.sum() + 1))
    answerable = np.sort(confidence[questions.answerable])
    guarantee: float | None = max_refused
    threshold = float(answerable[ranks - 1]) if ranks else 0.0
    if questions.altered:  # entries with words left out are too easy: a paraphrase shares fewer words with them
        threshold, guarantee = min(threshold, _quantile(questions, confidence)), None
        method = "share of refused questions without an answer"
    elif not ranks or count < FEWEST:
        threshold, guarantee, method = 0.5, None, "probability of a half"
    record = {
        "method": method,
        "guarantee": guarantee,
        "max_refused": max_refused,
        "questions": _counts(questions),
        "figures": figures(questions, confidence, threshold),
        "curve": curve(questions, confidence),
    }
    return Calibration(regression, threshold, record)


def figures(questions: Questions, confidence: np.ndarray, threshold: float) -> dict[str, float]:
    """Compute what a threshold does.

    Returns:
        `answerable_refused` and `unanswerable_refused`: shares of the questions with and without an answer;
        `right_of_answered`: share of the replies that are right; `expected_calibration_error`: see there; `auroc`: how
        often a question with an answer has a higher probability than one without.
    """
    sample, refused = questions.sample, confidence < threshold
    yes, no = questions.answerable, ~questions.answerable
    answered = sample[~refused].sum()
    return {
        "answerable_refused": _mean(refused[yes], sample[yes]),
        "unanswerable_refused": _mean(refused[no], sample[no]),
        "right_of_answered": float((sample * questions.right)[~refused].sum() / answered) if answered else 0.0,
        "expected_calibration_error": expected_calibration_error(confidence, questions.right, sample),
        "auroc": _auroc(confidence, yes, sample),
    }


def curve(questions: Questions, confidence: np.ndarray, points: int = 20) -> list[dict[str, float]]:
    """Compute the curve of coverage and risk (El-Yaniv and Wiener, JMLR 2010).

    Returns:
        For each of `points` thresholds: `coverage`, the share of all questions that are answered, and `risk`, the share
        of the replies that are wrong, with both shares of refused questions.
    """
    sample = questions.sample
    total = sample.sum()
    result = []
    thresholds = sorted({float(value) for value in np.quantile(confidence, np.linspace(0, 1, points + 1)[:-1])})
    for threshold in thresholds:
        answered = confidence >= threshold
        weight = sample[answered].sum()
        result.append(
            {
                "threshold": threshold,
                "coverage": float(weight / total),
                "risk": float((sample * ~questions.right)[answered].sum() / weight) if weight else 0.0,
                "answerable_refused": _mean(~answered[questions.answerable], sample[questions.answerable]),
                "unanswerable_refused": _mean(~answered[~questions.answerable], sample[~questions.answerable]),
            }
        )
    return result


def expected_calibration_error(
    confidence: np.ndarray, right: np.ndarray, sample: np.ndarray, bins: int = _BINS
) -> float:
    """Compute the mean distance of probability and frequency (Guo et al., arXiv:1706.04599), in bins of equal width.

    Args:
        confidence: float64 `[n]`.
        right: bool `[n]`.
        sample: What each counts, `[n]`.
        bins: Number of bins.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    weight = np.bincount(place, sample, bins)
    gaps = np.abs(np.bincount(place, sample * confidence, bins) - np.bincount(place, sample * right, bins))
    return float(gaps.sum() / weight.sum())


def _half(questions: Questions, seed: int) -> np.ndarray:
    """Whether each question is in the half to which the probabilities are fitted: a half of the groups."""
    groups = np.unique(questions.groups)
    chosen = np.random.default_rng(seed).permutation(groups)[: len(groups) // 2]
    return np.isin(questions.groups, chosen)


def _cross_fitted(questions: Questions, seed: int) -> np.ndarray:
    """The probability of each question, by a regression that has not seen its group."""
    groups = np.unique(questions.groups)
    folds = np.random.default_rng(seed).permutation(np.arange(len(groups)) % _FOLDS)
    fold = folds[np.searchsorted(groups, questions.groups)]
    result = np.zeros(len(fold))
    for number in np.unique(fold):
        inside = fold == number
        rest = questions.select(~inside)
        both = len(np.unique(rest.right)) == 2
        result[inside] = _fit(rest if both else questions).probability(questions.features[inside])
    return result


def _fit(questions: Questions) -> Logistic:
    return Logistic.fit(questions.features, questions.right, questions.sample)


def _quantile(questions: Questions, confidence: np.ndarray) -> float:
    """The probability below which `_REFUSED` of the unanswerable questions are."""
    mask = ~questions.answerable
    order = np.argsort(confidence[mask], kind="stable")
    shares = np.cumsum(questions.sample[mask][order])
    place = min(int(np.searchsorted(shares, _REFUSED * shares[-1])) + 1, len(order) - 1)
    return float(confidence[mask][order][place])


def _counts(questions: Questions) -> dict[str, int]:
    kinds, counts = np.unique(questions.kinds, return_counts=True)
    return {str(kind): int(count) for kind, count in zip(kinds, counts, strict=True)}


def _mean(values: np.ndarray, sample: np.ndarray) -> float:
    return float(np.average(values, weights=sample)) if len(values) else 0.0


def _auroc(confidence: np.ndarray, positive: np.ndarray, sample: np.ndarray) -> float:
    """The weighted area under the receiver operating characteristic; ties count a half."""
    values = np.unique(confidence, return_inverse=True)[1]
    plus = np.bincount(values, sample * positive)
    minus = np.bincount(values, sample * ~positive)
    below = np.cumsum(minus) - minus
    return float((plus * (below + minus / 2)).sum() / (plus.sum() * minus.sum()))
