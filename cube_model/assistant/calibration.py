"""When to refuse: the probability that the best answer is right, and the threshold below which it is not given.

Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates, arXiv:2107.07511): of m answerable questions that
the probabilities were not fitted to, the `floor(share * (m + 1))`-th smallest probability is the threshold. Of further
questions of the same kind, at most `share` is then expected below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.assistant.logistic import Logistic
from cube_model.assistant.retrieval import FEATURES
from cube_model.errors import ModelError

FEW = 200
"""Answerable questions below which the probabilities and the threshold share them, by cross-fitting."""

FEWEST = 10
"""Answerable questions below which nothing is promised."""

MARKED = "out of scope"
"""Kind of the questions that the user or the dataset marks; they count as much as all other unanswerable ones."""

HELD_OUT = "held out"
"""Kind of the questions of the validation split."""

ANOTHER_QUESTION = "another question"
"""Kind of the questions of a FAQ that are asked without themselves."""

_FOLDS = 5
_BINS = 10

_PENALTY = 30.0
"""Questions that the prior counts as much as. With 100, FAQs of MASSIVE and HWU64 refuse more of what they cannot
answer, but those of Banking77 are calibrated worse, each with a prior that is fitted to the two other sets.
"""

PRIOR = Logistic(
    mean=np.array([0.4118, 0.3, 0.2414, 0.1294, 0.361, 0.2911, 0.2567, 0.1908, 0.4033, 2.1495]),
    scale=np.array([0.2418, 0.2, 0.1841, 0.1532, 0.2258, 0.2081, 0.186, 0.2035, 0.254, 0.4653]),
    weights=np.array([0.715, 0.0, 0.4571, 0.5784, 1.1348, 0.6796, -1.3243, 0.1876, -0.0517, -0.1446]),
    bias=-0.7228,
)
"""Regression on 60 FAQs of 5 to 77 answers with 1 to 10 questions each, made of the intents of MASSIVE, Banking77 and
HWU64, with questions of the same and of other intents, and about something else, embedded by all-MiniLM-L6-v2
(`bench_assistant.py prior`). Similarities are measured from that of unrelated texts, so that it fits other encoders
too. The similarity of question and answer has no weight, since intents have no answers: only an assistant's own
questions give it one.
"""

_PRIOR_REFUSED = {
    0.01: 0.0364,
    0.02: 0.0533,
    0.05: 0.0885,
    0.1: 0.1404,
    0.2: 0.2638,
    0.3: 0.3933,
    0.5: 0.6548,
    1.0: 1.0,
}
"""Share of the answerable questions of these FAQs -> the probability of `PRIOR` below which they are."""

_SIMILARITIES = [FEATURES.index(name) for name in ("best", "answer", "mean_of_nearest", "mean_of_answer", "coherence")]
_DIFFERENCES = [FEATURES.index("margin")]


@dataclass(frozen=True)
class Questions:
    """n questions to calibrate on.

    Attributes:
        features: float64 `[n, d]`; see `FEATURES`.
        answerable: bool `[n]`: whether the entries have an answer to it.
        right: bool `[n]`: whether the best answer is right.
        groups: int64 `[n]`: equal for questions that depend on each other, such as those of a dialogue.
        kinds: n names of how the question was made; those of one kind count together as much as those of another.
        unrelated: Mean cosine of texts that have nothing to do with each other; it differs between encoders.
        answers_known: Whether the right answers are known. Those of dialogues are not: any answer to a question that
            has one counts as right.
    """

    features: np.ndarray
    answerable: np.ndarray
    right: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray
    unrelated: float
    answers_known: bool = True

    @property
    def sample(self) -> np.ndarray:
        """float64 `[n]`: what each question counts; those that have an answer as much as those that have none."""
        result = np.zeros(len(self.kinds))
        for answerable in (False, True):
            side = self.answerable == answerable
            kinds = np.unique(self.kinds[side])
            marked = {kind: kind == MARKED for kind in kinds}
            for kind in kinds:
                share = 1 / len(kinds)
                if any(marked.values()) and len(kinds) > 1:
                    share = 0.5 if marked[kind] else 0.5 / (len(kinds) - 1)
                mask = side & (self.kinds == kind)
                result[mask] = len(self.kinds) / 2 * share / mask.sum()
        return result

    def select(self, mask: np.ndarray) -> Questions:
        """Return some of the questions."""
        names = ("features", "answerable", "right", "groups", "kinds")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})


@dataclass(frozen=True)
class Calibration:
    """Probabilities of answers, and the threshold of a refusal.

    Attributes:
        regression: Probability that an answer is right, by `FEATURES`.
        threshold: Probability below which the reply is "I do not know".
        unrelated: See `Questions`.
        record: How it was calibrated, what is promised, and the figures on the calibration questions.
    """

    regression: Logistic
    threshold: float
    unrelated: float
    record: dict[str, Any] = field(default_factory=dict)

    def confidence(self, features: np.ndarray) -> np.ndarray:
        """Return the probability that each answer is right: features `[n, d]` to float64 `[n]`."""
        return self.regression.probability(_from_unrelated(features, self.unrelated))

    def as_json(self) -> dict[str, Any]:
        """Return the content of `calibration.json`."""
        numbers = {"threshold": self.threshold, "unrelated": self.unrelated}
        return {"features": FEATURES, **self.regression.as_json(), **numbers, **self.record}

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
        threshold, unrelated = content.pop("threshold", None), content.pop("unrelated", None)
        try:
            regression = Logistic.from_json(numbers)
            if not all(len(part) == len(FEATURES) for part in (regression.mean, regression.scale, regression.weights)):
                raise ValueError("another number of features")
            return cls(regression, float(threshold), float(unrelated), content)
        except (TypeError, ValueError) as error:
            raise ModelError(f"{file}: damaged ({error}); build the assistant again") from error


def calibrate(questions: Questions, max_refused: float, seed: int) -> Calibration:
    """Fit the probabilities and choose the threshold.

    Args:
        questions: Questions that have an answer, and questions that have none.
        max_refused: Largest share of the answerable questions that may be refused.
        seed: Seed of the halves.

    With fewer than `FEW` answerable questions of a FAQ, the threshold is at most the one that refuses twice that share
    of the questions of other FAQs. With fewer than `FEWEST`, such as in a FAQ that asks each question in one way only,
    the probabilities and the threshold are those of other FAQs, and nothing is promised.
    """
    count = int(questions.answerable.sum())
    if count < FEWEST:
        method, regression, guarantee = "probabilities and threshold of other FAQs", PRIOR, None
        confidence = _probability(PRIOR, questions)
        threshold = _refused_by_other_faqs(max_refused)
    else:
        guarantee = max_refused
        is_faq = ANOTHER_QUESTION in questions.kinds
        if count >= FEW and not is_faq:
            method, fitted = "split conformal", _half(questions, seed)
            regression, questions = _fit(questions.select(fitted)), questions.select(~fitted)
            confidence = _probability(regression, questions)
        else:
            method = "conformal by cross-fitting"
            confidence, regression = _cross_fitted(questions, seed), _fit(questions)
        answerable = np.sort(confidence[questions.answerable])
        rank = math.floor(max_refused * (len(answerable) + 1))
        threshold = float(answerable[rank - 1]) if rank else 0.0
        if is_faq and count < FEW:  # so few tell little
            threshold = min(threshold, _refused_by_other_faqs(min(1.0, 2 * max_refused)))
    record = {
        "method": method,
        "guarantee": guarantee,
        "max_refused": max_refused,
        "questions": _counts(questions),
        "answers_known": questions.answers_known,
        "figures": figures(questions, confidence, threshold),
        "curve": curve(questions, confidence),
    }
    return Calibration(regression, threshold, questions.unrelated, record)


def figures(questions: Questions, confidence: np.ndarray, threshold: float) -> dict[str, float | None]:
    """Compute what a threshold does.

    Returns:
        `answerable_refused` and `unanswerable_refused`: shares of the questions with and without an answer;
        `right_of_answered`: share of the replies that are right; `expected_calibration_error`: see there; `auroc`: how
        often a question with an answer has a higher probability than one without. What needs questions with an answer
        is None without any.
    """
    sample, refused = questions.sample, confidence < threshold
    yes, no = questions.answerable, ~questions.answerable
    if not yes.any():
        names = ("answerable_refused", "right_of_answered", "expected_calibration_error", "auroc")
        return {"unanswerable_refused": _mean(refused[no], sample[no]), **dict.fromkeys(names)}
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


def _refused_by_other_faqs(share: float) -> float:
    """The probability below which a share of the answerable questions of other FAQs are."""
    return float(np.interp(share, [*_PRIOR_REFUSED], [*_PRIOR_REFUSED.values()]))


def _half(questions: Questions, seed: int) -> np.ndarray:
    """Whether each question is in the half to which the probabilities are fitted: a half of the groups."""
    groups = np.unique(questions.groups)
    half = np.random.default_rng(seed).permutation(groups)[: len(groups) // 2]
    return np.isin(questions.groups, half)


def _cross_fitted(questions: Questions, seed: int) -> np.ndarray:
    """The probability of each question, by a regression that has not seen its group."""
    groups = np.unique(questions.groups)
    folds = np.random.default_rng(seed).permutation(np.arange(len(groups)) % _FOLDS)
    fold = folds[np.searchsorted(groups, questions.groups)]
    result = np.zeros(len(fold))
    for number in np.unique(fold):
        inside = fold == number
        rest = questions.select(~inside)
        result[inside] = _probability(_fit(rest), questions.select(inside))
    return result


def _fit(questions: Questions) -> Logistic:
    features = _from_unrelated(questions.features, questions.unrelated)
    return Logistic.fit(features, questions.right, questions.sample, PRIOR, _PENALTY)


def _probability(regression: Logistic, questions: Questions) -> np.ndarray:
    return regression.probability(_from_unrelated(questions.features, questions.unrelated))


def _from_unrelated(features: np.ndarray, unrelated: float) -> np.ndarray:
    """Features whose similarities are 0 for unrelated and 1 for equal texts."""
    result, rest = features.copy(), max(1e-3, 1 - unrelated)
    result[:, _SIMILARITIES] = (result[:, _SIMILARITIES] - unrelated) / rest
    result[:, _DIFFERENCES] /= rest
    return result


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
    pairs = plus.sum() * minus.sum()
    return float((plus * (below + minus / 2)).sum() / pairs) if pairs else 0.5
