"""Response selection: several maps side by side on the same vectors and the same batches.

A map is a pair of functions, one for the question's vectors and one for the answers'. The untrained core is the
identity, so the row `identity` is what training starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.metrics import (
    BATCH,
    Draws,
    bootstrap_interval,
    normalize,
    one_of_batch,
    reciprocal_ranks,
)

if TYPE_CHECKING:
    from cube_model.modeling_cube import CubeModel
    from cube_model.question_answer_data import QuestionAnswerPairs

PROTOCOL = "1-of-100, seeded shuffles, text equality; v1"

METRICS = ("accuracy_1_of_100", "accuracy_1_of_100_by_index", "mrr", "mean_cosine")

Encode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Method:
    """A map from question and answer vectors to vectors that are compared by cosine.

    Args:
        name: Shown in the table.
        questions: float32 `[b, 1 + turns, d]` -> `[b, d]`.
        answers: float32 `[b, d]` -> `[b, d]`.
        parameters: Trained numbers.
        turns: Question and earlier turns that it reads; more are cut.
        train_size: Pairs that it was trained on; None when not trained or not known.
    """

    name: str
    questions: Encode
    answers: Encode
    parameters: int = 0
    turns: int = 1
    train_size: int | None = None


@dataclass
class Result:
    """What one method reached: `metrics[name] = (value, low, high)`, the ends of the 95 % interval."""

    method: Method
    metrics: dict[str, tuple[float, float, float]] = field(default_factory=dict)


@dataclass
class Report:
    """All methods on one set of pairs.

    Attributes:
        results: In the order of the methods.
        pairs: Number of pairs.
        pool: Number of distinct answers.
        dialogues: Number of dialogues.
        batch: Candidates of one question; below 100 only where there are fewer pairs.
        ceiling_by_index: Share of the pairs whose true answer occurs once in its batch: no map can be above it by
            index.
    """

    results: list[Result]
    pairs: int
    pool: int
    dialogues: int
    batch: int
    ceiling_by_index: float


def identity() -> Method:
    """What an untrained core does: the question's own vector against the answers' own vectors."""
    return Method("identity", lambda questions: questions[:, 0], lambda answers: answers)


def core(
    model: CubeModel, name: str = "trained core", *, train_size: int | None = None, turns: int | None = None
) -> Method:
    """A trained core as a method; `turns` less than the core reads hides the earlier ones."""
    import torch

    def run(function: Callable[..., Any]) -> Encode:
        def encode(vectors: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                given = torch.from_numpy(np.ascontiguousarray(vectors)).to(model.device, model.dtype)
                return function(given).float().cpu().numpy()

        return encode

    model.eval()
    turns = 1 + model.config.context_turns if turns is None else turns
    return Method(
        name,
        run(model.encode_questions),
        run(model.encode_answers),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        turns=turns,
        train_size=train_size,
    )


def map_vectors(method: Method, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mapped questions and answers, `[n, d]` of length 1 each; `vectors` as `QuestionAnswerPairs.embed` gives them."""
    questions, answers = [], []
    for start in range(0, len(pairs), 4096):
        rows = slice(start, start + 4096)
        questions.append(method.questions(vectors[pairs.questions[rows, : method.turns]]))
        answers.append(method.answers(vectors[pairs.answers[rows]]))
    return normalize(np.concatenate(questions)), normalize(np.concatenate(answers))


def evaluate(
    methods: list[Method], pairs: QuestionAnswerPairs, vectors: np.ndarray, *, seed: int = 0, draws: int = 3
) -> Report:
    """Judge maps on the same vectors, batches and bootstrap samples.

    Args:
        methods: The maps.
        pairs: n pairs with at least as many earlier turns as the methods read.
        vectors: float32 `[m + 1, d]` of `pairs.embed`.
        seed: Of batches and bootstrap samples.
        draws: Shuffles that are averaged.
    """
    plan = Draws.of(len(pairs), draws=draws, seed=seed)
    _, first, gold = np.unique(pairs.labels, return_index=True, return_inverse=True)
    report = Report([], len(pairs), len(first), len(np.unique(pairs.dialogues)), plan.batches.shape[2], float("nan"))
    for method in methods:
        questions, answers = map_vectors(method, pairs, vectors)
        by_text, by_index, unique = one_of_batch(questions, answers, pairs.labels, plan)
        report.ceiling_by_index = float(np.nanmean(unique))
        values = (by_text, by_index, reciprocal_ranks(questions, answers[first], gold), (questions * answers).sum(1))
        result = Result(method)
        for name, value in zip(METRICS, values, strict=True):
            result.metrics[name] = bootstrap_interval(value, pairs.dialogues, seed=seed)
        report.results.append(result)
    return report


def quick_accuracy(questions: np.ndarray, answers: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> float:
    """1-of-100 accuracy by text equality of one draw: what training chooses its best epoch by."""
    by_text, _, _ = one_of_batch(questions, answers, labels, Draws.of(len(labels), draws=1, seed=seed))
    return float(np.nanmean(by_text))


def to_json(report: Report, **facts: Any) -> dict[str, Any]:
    """The report as the JSON that the command line writes; `facts` (source, language, seed ...) go into each result."""
    results = [
        {
            "task": "response-selection",
            "protocol": PROTOCOL,
            "method": result.method.name,
            "metric": name,
            "value": value,
            "ci95": [low, high],
            "parameters": result.method.parameters,
            "train_size": result.method.train_size,
            "turns": result.method.turns,
            "pairs": report.pairs,
            "dialogues": report.dialogues,
            "candidates": report.pool if name == "mrr" else report.batch,
            **({"ceiling": report.ceiling_by_index} if name == "accuracy_1_of_100_by_index" else {}),
            **facts,
        }
        for result in report.results
        for name, (value, low, high) in result.metrics.items()
    ]
    return {"results": results}


def note(report: Report) -> str | None:
    """A sentence for the reader when the protocol could not be kept."""
    if report.batch < BATCH:
        return f"only {report.pairs} pairs: scored 1-of-{report.batch}, which is easier than 1-of-{BATCH}"
    return None
