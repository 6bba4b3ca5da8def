"""Response selection: evaluates methods on the same embeddings and the same batches.

Each question is scored against its true answer and 99 negatives (1-of-100), and against all distinct answers (MRR,
recall). There are three kinds of negatives, see `NEGATIVES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.evaluation.few_pairs import few_pairs
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
"""Part of every result. Raise its version when a change to this file or to `metrics.py` changes a figure."""

NEGATIVES = ("random", "same-domain", "same-dialogue")
"""Kinds of the 99 negatives: answers from any dialogue; from dialogues with the same domains; or from whole dialogues,
so that a batch contains the other answers of the question's own dialogue."""

METRICS = (
    "accuracy_1_of_100",
    "accuracy_1_of_100_by_index",
    "mrr",
    *(f"recall_at_{k}" for k in RECALL_AT),
    "mean_cosine",
)


@dataclass
class Result:
    """Result of one method on a set of pairs.

    Attributes:
        method: Method.
        negatives: One of `NEGATIVES`.
        domain: Domain of the pairs, whose negatives come from all domains; None for all pairs.
        metrics: Name -> (value, low, high), with a 95 % interval over dialogues.
        samples: Name -> bootstrap samples of that interval, see `metrics.bootstrap`.
        pairs: Number of pairs scored in at least one draw.
        dialogues: Number of dialogues of these pairs.
        ceiling_by_index: Share of the pairs whose true answer occurs only once in its batch. It is an upper bound for
            accuracy by index, which counts a copy of the true answer as wrong.
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
    """Results of all methods on one set of pairs.

    Attributes:
        results: Results in the order of the methods; each method begins with random negatives and all pairs.
        pairs: Number of pairs.
        pool: Number of distinct answers.
        dialogues: Number of dialogues.
        batch: Number of candidates of a question: 100, or the number of pairs if there are fewer.
    """

    results: list[Result]
    pairs: int
    pool: int
    dialogues: int
    batch: int

    @property
    def ceiling_by_index(self) -> float:
        """Upper bound for accuracy by index with random negatives, see `Result`."""
        return self.results[0].ceiling_by_index

    def find(self, method: Scorer, negatives: str = "random", domain: str | None = None) -> Result | None:
        """Return the result of a method, or None if it could not be measured."""
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
    """Evaluate methods on the same embeddings, batches and bootstrap samples.

    Args:
        methods: Methods to evaluate.
        pairs: n pairs with at least as many context turns as the methods read.
        vectors: float32 `[m + 1, d]`, as returned by `pairs.embed`.
        seed: Seed of batches and bootstrap samples.
        draws: Number of shuffles to average over.
        domains: Domains of each pair's dialogue, n lists. Without them, negatives of the same domain and results by
            domain are left out.
        negatives: Kinds of negatives from `NEGATIVES`.
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
    """Return the batches for each kind of negatives, without kinds that have no batch."""
    plans = {}
    if "random" in negatives:
        plans["random"] = Draws.of(len(pairs), draws=draws, seed=seed)
    if "same-domain" in negatives and domains is not None:
        keys = np.array(["+".join(sorted(names)) for names in domains])
        _, groups = np.unique(keys, return_inverse=True)
        groups = np.where(keys == "", -1 - np.arange(len(keys)), groups)  # a pair without domains is its own group
        plans["same-domain"] = Draws.within(groups, draws=draws, seed=seed)
    if "same-dialogue" in negatives:
        plans["same-dialogue"] = Draws.together(pairs.dialogues, draws=draws, seed=seed)
    return {kind: plan for kind, plan in plans.items() if plan.batches.size}


def _rows_by_domain(domains: Sequence[Sequence[str]] | None) -> dict[str | None, np.ndarray]:
    """Return the row numbers of each domain; empty if there is only one. A dialogue may have several domains."""
    rows: dict[str, list[int]] = {}
    for row, names in enumerate(domains or ()):
        for name in dict.fromkeys(names):
            rows.setdefault(name, []).append(row)
    return {name: np.array(rows[name]) for name in sorted(rows)} if len(rows) > 1 else {}


def to_json(report: Report, **facts: Any) -> list[dict[str, Any]]:
    """Return the report as entries of `results` in the JSON, each with `facts` (source, language, seed ...) added."""
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
    """Return a remark if there are too few pairs for the protocol or for an interval that tells anything, else None."""
    remarks = []
    if report.batch < BATCH:
        remarks.append(f"only {report.pairs} pairs: scored 1-of-{report.batch}, which is easier than 1-of-{BATCH}")
    if few := few_pairs(report.pairs, report.pool):
        remarks.append(few)
    return "; ".join(remarks) or None
