"""Validation figures, by which a training selects its best epoch. Every process computes the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import numpy as np

    from cube_model.core.modeling_cube import CubeModel

Metrics = Callable[[Any], dict[str, Any]]
"""Further figures of a validation: a function of an `EvalPrediction`, see `validate`."""


def selection_metric(mode: str, cosine_weight: float) -> str:
    """Return the figure that selects the best epoch: retrieval, unless the loss is the cosine alone."""
    if mode == "autoencoder" or cosine_weight == 1:
        return "mean_cosine_to_teacher"
    return "accuracy_1_of_100"


def validate(
    model: CubeModel,
    pairs: QuestionAnswerPairs,
    vectors: np.ndarray,
    seed: int,
    compute_metrics: Metrics | None = None,
) -> dict[str, float]:
    """Return retrieval and cosine of a core, whose training mode is restored.

    A contrastive loss raises the accuracy and lowers the cosine to the teacher, a cosine loss does the reverse, so
    every history has both.

    Args:
        model: Core.
        pairs: n pairs.
        vectors: Their embeddings, float32 `[m + 1, d]`, as `QuestionAnswerPairs.embed` returns them.
        seed: Seed of the batches of 100.
        compute_metrics: Further figures, as for `transformers.Trainer`: a function of an `EvalPrediction` with the
            mapped questions and answers, float32 `[n, d]` of norm 1, as `predictions`, and int64 `[n]`, equal for equal
            answers, as `label_ids`.

    Returns:
        `accuracy_1_of_100` (equal texts count as hits), `mean_cosine` of mapped question and mapped answer, which
        retrieval compares, and `mean_cosine_to_teacher` of mapped question and the teacher's embedding of the answer.
        An autoencoder has the last one only, of restored and original embedding.

    Raises:
        ModelError: `compute_metrics` returns a name that is taken, or a value that is not a number.
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
    figures = {"mean_cosine_to_teacher": float((questions * normalize(vectors[pairs.answers])).sum(1).mean())}
    if model.config.mode != "autoencoder":
        figures = {
            "accuracy_1_of_100": quick_accuracy(questions, answers, pairs.labels, seed=seed),
            "mean_cosine": float((questions * answers).sum(1).mean()),
            **figures,
        }
    if compute_metrics is not None:
        figures |= further_figures(compute_metrics, questions, answers, pairs.labels, figures)
    return figures


def further_figures(
    compute_metrics: Metrics, questions: np.ndarray, answers: np.ndarray, labels: np.ndarray, taken: Iterable[str]
) -> dict[str, float]:
    """Return the figures of `compute_metrics`.

    Args:
        compute_metrics: See `validate`.
        questions: Mapped questions, float32 `[n, d]` of norm 1.
        answers: Their mapped answers, in the same form.
        labels: int64 `[n]`, equal for equal answers.
        taken: Names of the other figures.

    Raises:
        ModelError: A name is taken, or a value is not a number.
    """
    from transformers import EvalPrediction

    mapped: Any = (questions, answers)  # the library's annotation allows tuples of one array only
    figures = {}
    for name, value in compute_metrics(EvalPrediction(mapped, labels)).items():
        if name in (*taken, "epoch", "loss"):
            raise ModelError(f"compute_metrics: {name} is the name of a figure of every training; use another one")
        try:
            figures[name] = float(value)
        except (TypeError, ValueError) as error:
            raise ModelError(f"compute_metrics: {name} is {value!r}, expected a number") from error
    return figures
