"""How many validation pairs can judge a training: the only definition of "too few".

An accuracy over n pairs is known up to the 95 % score interval of Wilson (1927, doi:10.1080/01621459.1927.10502953),
which is widest for an accuracy of 1/2: half of it is

    z / (2 sqrt(n + z^2)), z = 1.96.

Among c distinct answers, 1/c of the questions are answered by luck. The accuracy corrected for luck,
(accuracy - 1/c) / (1 - 1/c), has an interval wider by 1 / (1 - 1/c); a single answer tells nothing. The bound holds for
the mean cosine that selects an autoencoder, too: no figure from 0 to 1 varies more than an accuracy of the same mean.
"""

from __future__ import annotations

import math

import numpy as np

from cube_model.data.pairs import QuestionAnswerPairs

Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""

LARGEST_HALF_WIDTH = 0.1
"""Half width above which a validation cannot judge: most trainings gain less than that over the encoder."""

FEW_PAIRS = 2_000
"""Maximum number of pairs for which `validation="auto"` trains several times."""

_CANDIDATES = 100
"""Maximum number of answers that a question of the validation chooses from."""


def half_width(pairs: int, answers: int) -> float:
    """Return half the width of the 95 % interval of an accuracy of 1/2, corrected for luck.

    Args:
        pairs: Number of validation pairs.
        answers: Number of distinct answers among them.

    Returns:
        Half width, at most 1: the validation tells nothing.
    """
    if answers < 2:
        return 1.0
    by_chance = 1 / min(answers, _CANDIDATES)
    return min(1.0, Z / (2 * math.sqrt(pairs + Z * Z)) / (1 - by_chance))


def least_pairs(answers: int) -> int:
    """Return the number of validation pairs from which on a validation can judge.

    Args:
        answers: Number of distinct answers; a single one counts as two.
    """
    wanted = LARGEST_HALF_WIDTH * (1 - 1 / min(max(answers, 2), _CANDIDATES))
    return math.ceil((Z / (2 * wanted)) ** 2 - Z * Z)


def interval_of(validation: QuestionAnswerPairs) -> float:
    """Return `half_width` for validation pairs."""
    return half_width(len(validation), len(np.unique(validation.labels)))


def too_few(validation: QuestionAnswerPairs) -> bool:
    """Return whether validation pairs are too few to judge a training."""
    return interval_of(validation) > LARGEST_HALF_WIDTH
