"""Response selection: several methods side by side on the same vectors and the same batches.

Each question is scored against its true answer and 99 others (1-of-100), and against all distinct answers (MRR,
recall). The others are of three kinds, see `NEGATIVES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.methods import Scorer
from cube_model.metrics.metrics import (
    BATCH,
    RECALL_AT,
    Draws,
    bootstrap,
    cosines,
    gold_ranks,
    one_of_batch,
    percentile_interval,
)

if TYPE_CHECKING:
    from cube_model.data.pairs import QuestionAnswerPairs

__all__ = [
    "METRICS",
    "NEGATIVES",
    "PROTOCOL",
    "Report",
    "Result",
    "evaluate",
    "note",
    "to_json",
]

PROTOCOL = "response-selection v2: 1-of-100, seeded shuffles, text equality"
"""Written into every result. Raised whenever a change of this file or of `metrics.py` changes a figure."""

NEGATIVES = ("random", "same-domain", "same-dialogue")
"""The 99 others: of any dialogue; of dialogues with the same domains; whole dialogues, so that a question's batch holds
the other answers of its own dialogue."""

METRICS = (
    "accuracy_1_of_100",
    "accuracy_1_of_100_by_index",
    "mrr",
    *(f"recall_at_{k}" for k in RECALL_AT),
    "mean_cosine",
)


@dataclass
class Result:
    """What one method reached on some pairs.

    Attributes:
        method: The method.
        negatives: One of `NEGATIVES`.
        domain: Only the pairs of this domain, still among the negatives of all; None: all pairs.
        metrics: Name -> (value, low, high), the ends of the 95 % interval over dialogues.
        samples: Name -> the bootstrap samples of that interval, see `metrics.bootstrap`.
        pairs: Pairs that were scored in at least one draw.
        dialogues: Their dialogues.
        ceiling_by_index: Share of the pairs whose true answer occurs once in its batch: by index no method can be
            above it, since even the true text is sometimes counted as wrong.
    """

    method: Scorer
    negatives: str = "random"
    domain: str | None = None
    metrics: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    pairs: int = 0
    dialogues: int = 0
    ceiling_by_index: float = float("nan")


@dataclass
class Report:
    """All methods on one set of pairs.

    Attributes:
        results: In the order of the methods; of each first the random negatives, all pairs.
        pairs: Number of pairs.
        pool: Number of distinct answers.
        dialogues: Number of dialogues.
        batch: Candidates of one question; below 100 only where there are fewer pairs.
    """

    results: list[Result]
    pairs: int
    pool: int
    dialogues: int
    batch: int

    @property
    def ceiling_by_index(self) -> float:
        """The ceiling under random negatives, see `Result`."""
        return self.results[0].ceiling_by_index

    def find(self, method: Scorer, negatives: str = "random", domain: str | None = None) -> Result | None:
        """The result of a method; None where it could not be measured."""
        matching = (r for r in self.results if r.method is method and (r.negatives, r.domain) == (negatives, domain))
        return next(matching, None)


def evaluate(
    methods: Sequence[Scorer],
    pairs: QuestionAnswerPairs,
    vectors: np.ndarray,
    *,
    seed: int = 0,
    draws: int = 3,
    domains: Sequence[Sequence[str]] | None = None,
    negatives: Sequence[str] = NEGATIVES,
) -> Report:
    """Judge methods on the same vectors, batches and bootstrap samples.

    Args:
        methods: What is judged.
        pairs: n pairs with at least as many earlier turns as the methods read.
        vectors: float32 `[m + 1, d]` of `pairs.embed`.
        seed: Of batches and bootstrap samples.
        draws: Shuffles that are averaged.
        domains: The domains of each pair's dialogue; without them there are no negatives of the same domain and no
            figures by domain.
        negatives: Which of `NEGATIVES` to use.
    """
    plans = _plans(pairs, domains, negatives, draws, seed)
    _, first, gold = np.unique(pairs.labels, return_index=True, return_inverse=True)
    by_domain = _rows_by_domain(domains)
    results = []
    for method in methods:
        questions, answers = method.map(pairs, vectors)
        for kind, plan in plans.items():
            by_text, by_index, unique = one_of_batch(questions, answers, pairs.labels, plan)
            values = {"accuracy_1_of_100": by_text, "accuracy_1_of_100_by_index": by_index}
            if kind == "random":
                ranks = gold_ranks(questions, answers[first], gold)
                values["mrr"] = 1 / ranks
                values |= {f"recall_at_{k}": (ranks <= k).astype(np.float32) for k in RECALL_AT}
                if method.reads_vectors:
                    values["mean_cosine"] = cosines(questions, answers)
            parts = {None: np.arange(len(pairs)), **(by_domain if kind == "random" else {})}
            for domain, rows in parts.items():
                scored = rows[~np.isnan(unique[rows]).all(1)]
                if not len(scored):
                    continue
                result = Result(method, kind, domain, pairs=len(scored))
                result.dialogues = len(np.unique(pairs.dialogues[scored]))
                result.ceiling_by_index = float(np.nanmean(unique[scored]))
                for name, value in values.items():
                    mean, result.samples[name] = bootstrap(value[rows], pairs.dialogues[rows], seed=seed)
                    result.metrics[name] = (mean, *percentile_interval(result.samples[name]))
                results.append(result)
    batch = min(BATCH, len(pairs))
    return Report(results, len(pairs), len(first), len(np.unique(pairs.dialogues)), batch)


def _plans(
    pairs: QuestionAnswerPairs,
    domains: Sequence[Sequence[str]] | None,
    negatives: Sequence[str],
    draws: int,
    seed: int,
) -> dict[str, Draws]:
    """The batches of each kind of negatives; a kind without a single batch is left out."""
    plans = {}
    if "random" in negatives:
        plans["random"] = Draws.of(len(pairs), draws=draws, seed=seed)
    if "same-domain" in negatives and domains is not None:
        known = np.array(["+".join(sorted(names)) for names in domains])
        _, groups = np.unique(known, return_inverse=True)
        groups = np.where(known == "", -1 - np.arange(len(known)), groups)  # unknown: alike to nothing
        plans["same-domain"] = Draws.within(groups, draws=draws, seed=seed)
    if "same-dialogue" in negatives:
        plans["same-dialogue"] = Draws.together(pairs.dialogues, draws=draws, seed=seed)
    return {kind: plan for kind, plan in plans.items() if plan.batches.size}


def _rows_by_domain(domains: Sequence[Sequence[str]] | None) -> dict[str | None, np.ndarray]:
    """Row numbers of every domain; a dialogue of several domains is in each. Nothing where there is but one domain."""
    rows: dict[str, list[int]] = {}
    for row, names in enumerate(domains or ()):
        for name in dict.fromkeys(names):
            rows.setdefault(name, []).append(row)
    return {name: np.array(rows[name]) for name in sorted(rows)} if len(rows) > 1 else {}


def to_json(report: Report, **facts: Any) -> list[dict[str, Any]]:
    """The report as entries of `results` in JSON; `facts` (source, language, seed ...) go into each entry."""
    return [
        {
            "task": "response-selection",
            "protocol": PROTOCOL,
            "negatives": result.negatives,
            "domain": result.domain,
            "method": result.method.name,
            "metric": name,
            "value": value,
            "ci95": [low, high],
            "parameters": result.method.parameters,
            "train_size": result.method.train_size,
            "turns": result.method.turns,
            "pairs": result.pairs,
            "dialogues": result.dialogues,
            "candidates": None if name == "mean_cosine" else report.batch if "1_of_100" in name else report.pool,
            **({"ceiling": result.ceiling_by_index} if name == "accuracy_1_of_100_by_index" else {}),
            **facts,
        }
        for result in report.results
        for name, (value, low, high) in result.metrics.items()
    ]


def note(report: Report) -> str | None:
    """A sentence for the reader when the protocol could not be kept."""
    if report.batch < BATCH:
        return f"only {report.pairs} pairs: scored 1-of-{report.batch}, which is easier than 1-of-{BATCH}"
    return None
