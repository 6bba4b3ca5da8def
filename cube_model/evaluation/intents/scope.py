"""Out-of-scope detection: scores that are higher for utterances of a known class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cube_model.evaluation.intents.protocols import linear_probe, prototypes

if TYPE_CHECKING:
    from cube_model.evaluation.intents.protocols import Encode
    from cube_model.evaluation.intents.task import IntentTask


def scope_scores(task: IntentTask, encode: Encode) -> dict[str, np.ndarray]:
    """Scores of the test rows, those in scope first: float `[n + m]` by the name of the method.

    `max_cosine`: cosine to the nearest class mean. `max_softmax`, `max_logit`: largest probability and largest
    decision value of the linear probe. All learn from in-scope training rows only.
    """
    test = encode(task.test.texts + task.outside.texts)
    _, means = prototypes(task, encode)
    probe, _ = linear_probe(task, encode)
    logits = probe.decision_function(test)
    if logits.ndim == 1:  # two classes: one value, the distance to their border
        logits = np.stack([-logits, logits], axis=1)
    return {
        "max_cosine": (test @ means.T).max(1),
        "max_softmax": probe.predict_proba(test).max(1),
        "max_logit": logits.max(1),
    }
