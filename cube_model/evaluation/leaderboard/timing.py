"""How long a method takes for a question."""

from __future__ import annotations

import time

import numpy as np

from cube_model.evaluation.baselines.base import EmbeddedPairs
from cube_model.evaluation.methods import Scorer

QUERIES, REPEATS = 256, 7


def microseconds_per_query(method: Scorer, test: EmbeddedPairs) -> float:
    """Microseconds to map one question, in a batch of 256: the best of seven.

    The teacher's own time and the search among the mapped answers are the same for all and not in it. Word methods
    split and count the words of the question.
    """
    rows = np.arange(min(QUERIES, len(test)))
    query = method.query(test.pairs.select(rows), test.vectors)
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        query()
        taken.append(time.perf_counter() - started)
    return round(min(taken) / len(rows) * 1e6, 3)
