"""What a run chooses its best epoch by. Every process computes the same, so all agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cube_model.data.pairs import QuestionAnswerPairs

if TYPE_CHECKING:
    import numpy as np

    from cube_model.core.modeling_cube import CubeModel


def chosen_by(mode: str, cosine_weight: float) -> str:
    """The figure that decides: retrieval, unless the loss is the cosine alone."""
    if mode == "autoencoder" or cosine_weight == 1:
        return "mean_cosine_to_teacher"
    return "accuracy_1_of_100"


def validate(model: CubeModel, pairs: QuestionAnswerPairs, vectors: np.ndarray, seed: int) -> dict[str, float]:
    """Retrieval and cosine of a core; the model's mode is put back.

    Args:
        model: The core.
        pairs: n pairs.
        vectors: float32 `[m + 1, d]` of `pairs.embed`.
        seed: Of the batches of 100.

    Returns:
        `accuracy_1_of_100` (text equality), `mean_cosine` of mapped question and mapped answer, as retrieval compares
        them, and `mean_cosine_to_teacher` of mapped question and the teacher's own answer vector. A contrastive loss
        raises the first and lowers the last, a cosine loss the reverse: both are in every history. An autoencoder has
        the last one only, of restored and true vector.
    """
    from cube_model.inference.processor import core_function, map_rows
    from cube_model.metrics.metrics import normalize, quick_accuracy

    training = model.training
    try:
        model.eval()
        turns = pairs.questions[:, : 1 + model.config.context_turns]
        questions = normalize(map_rows(core_function(model, model.encode_questions), vectors, turns))
        answers = normalize(map_rows(core_function(model, model.encode_answers), vectors, pairs.answers))
    finally:
        model.train(training)
    to_teacher = float((questions * normalize(vectors[pairs.answers])).sum(1).mean())
    if model.config.mode == "autoencoder":
        return {"mean_cosine_to_teacher": to_teacher}
    return {
        "accuracy_1_of_100": quick_accuracy(questions, answers, pairs.labels, seed=seed),
        "mean_cosine": float((questions * answers).sum(1).mean()),
        "mean_cosine_to_teacher": to_teacher,
    }
