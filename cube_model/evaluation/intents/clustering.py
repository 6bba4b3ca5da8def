"""Clusters of the test utterances, found without labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cube_model.evaluation.intents.protocols import Encode
    from cube_model.evaluation.intents.task import IntentTask

RESTARTS = 10


def clusters(task: IntentTask, encode: Encode, seeds: int) -> Iterator[np.ndarray]:
    """Cluster numbers int `[n]` of the test rows by k-means, for each seed; as many as there are test classes."""
    from sklearn.cluster import KMeans

    vectors = encode(task.test.texts)
    count = len(np.unique(task.test.labels))
    for seed in range(seeds):
        yield KMeans(count, n_init=RESTARTS, random_state=seed).fit_predict(vectors)
