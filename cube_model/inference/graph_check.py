"""Comparison of an exported graph with PyTorch: equal vectors, speed, and what quantisation costs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cube_model.inference.graph import GraphTokenizer, Row, TextGraph
from cube_model.inference.graph_formats import Run
from cube_model.inference.processor import EmbeddingProcessor
from cube_model.machine import hardware
from cube_model.metrics.metrics import Draws, normalize, one_of_batch

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

TOLERANCE = 1e-4
"""Largest difference of an exported float32 graph to PyTorch, for embeddings of norm 1."""

TEXTS = (
    "Hello!",
    "I need a cheap hotel in the north, with parking, for three nights from Friday.",
    "The Otter Lodge has a room. Shall I book it?",
    "Does it have free wifi, and can I bring my dog? He is small.",
    "Здравствуйте! Во сколько открывается касса?",
    "ok",
    "Casa Lumbra serves Italian food in the centre; a table for two at 19:30 is free, and the chef asks whether "
    "anybody has an allergy, since the menu changes every day and most dishes are made with nuts, milk or eggs.",
    "¿Cuánto cuesta un billete de ida y vuelta a Sevilla?",
)
"""Invented turns of several lengths and languages, on which exports are checked without a dataset."""

_BATCH = 32
_PAIRS = 1000
_ROUNDS = 3


@dataclass(frozen=True)
class GraphCheck:
    """Texts to compare on, and the functions to compare.

    Args:
        core: Core.
        teacher: Its teacher.
        tokenizer: Tokenizer of the exported graph.
        questions: Questions with their context.
        answers: Answers, one turn each.
        labels: Labels of the answers, int `[n]`, if questions and answers are pairs of a dataset.
    """

    core: CubeModel
    teacher: Teacher
    tokenizer: GraphTokenizer
    questions: list[Row]
    answers: list[Row]
    labels: np.ndarray | None = None

    @classmethod
    def on(
        cls, data: str | os.PathLike[str] | None, core: CubeModel, teacher: Teacher, tokenizer: GraphTokenizer
    ) -> GraphCheck:
        """Take the texts from the validation pairs of a dataset, at most 1000, or from `TEXTS`."""
        turns = 1 + core.config.context_turns
        texts: list[str | None]
        if data is None:
            texts = [*TEXTS]
            dialogues: list[Row] = [[*texts[i::-1], *[None] * turns][:turns] for i in range(len(texts))]
            return cls(core, teacher, tokenizer, dialogues, [[text] for text in texts])
        from cube_model.data.pairs import load_pairs

        pairs = load_pairs(data, "validation", max_pairs=_PAIRS, context_turns=turns - 1)
        texts = [*pairs.texts, None]  # index -1: no turn
        questions: list[Row] = [[texts[i] for i in row] for row in pairs.questions]
        return cls(core, teacher, tokenizer, questions, [[texts[i]] for i in pairs.answers], pairs.labels)

    def equality(self, run: Run) -> dict[str, Any]:
        """Compare a graph with teacher and core, in batches of several shapes, with and without context."""
        questions, answers = self.questions[: 2 * _BATCH], self.answers[: 2 * _BATCH]
        processor, difference = EmbeddingProcessor(self.core), 0.0
        for rows in [questions, [row[:1] for row in questions]] if self.core.config.context_turns else [questions]:
            expected = processor.process_batch(self._vectors(rows))
            difference = max(difference, self._difference(run, 0, rows, expected))
        expected = processor.process_answers(self._vectors(answers)[:, 0])
        difference = max(difference, self._difference(run, 1, answers, expected))
        texts = {text for rows in (questions, answers) for row in rows for text in row if text}
        return {"texts": len(texts), "max_difference": difference, "tolerance": TOLERANCE}

    def sides(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """Run a graph on all questions and all answers: `[n, dimension]` each."""
        return self._encode(run, 0, self.questions, _BATCH), self._encode(run, 1, self.answers, _BATCH)

    def loss(self, before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
        """Compare `sides` of int8 with those of float32: cosines and, for pairs, the 1-of-100 accuracy."""
        similar = np.concatenate([cosines(x, y) for x, y in zip(before, after, strict=True)])
        result: dict[str, Any] = {"cosine": {"mean": float(similar.mean()), "min": float(similar.min())}}
        if self.labels is not None:
            draws = Draws.of(len(self.labels))
            accuracy = {
                precision: float(np.nanmean(one_of_batch(questions, answers, self.labels, draws)[0]))
                for precision, (questions, answers) in (("float32", before), ("int8", after))
            }
            result |= {"pairs": len(self.labels), "accuracy_1_of_100": accuracy}
        return result

    def speed(self, run: Run, graph: TextGraph, format: str) -> dict[str, Any]:
        """Time the exported graph and PyTorch by turns, on the same token ids."""
        rows = sorted((self.questions * _BATCH)[: 4 * _BATCH], key=_length)
        batches = [self.tokenizer(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]

        def pytorch(ids: np.ndarray, mask: np.ndarray) -> object:
            with torch.inference_mode():
                return graph(torch.from_numpy(ids), torch.from_numpy(mask))

        _seconds(pytorch, batches), _seconds(run, batches)  # the first calls prepare
        times = [(_seconds(pytorch, batches), _seconds(run, batches)) for _ in range(_ROUNDS)]
        texts = sum(1 for row in rows for text in row if text)
        return {
            "pytorch": texts / statistics.median(own for own, _ in times),
            format: texts / statistics.median(exported for _, exported in times),
            "ratio": statistics.median(own / exported for own, exported in times),
            "unit": "texts per second",
            "batch": _BATCH,
            **hardware("cpu"),
        }

    def _vectors(self, rows: list[Row]) -> np.ndarray:
        """The teacher's embeddings `[n, turns, dimension]`, with zeros for missing turns."""
        encoded = iter(self.teacher.encode([text for row in rows for text in row if text]))
        missing = np.zeros(self.teacher.dimension, dtype=np.float32)
        return np.stack([np.stack([next(encoded) if text else missing for text in row]) for row in rows])

    def _difference(self, run: Run, side: int, rows: list[Row], expected: np.ndarray) -> float:
        sizes = (1, 3, _BATCH)
        actual = [self._encode(run, side, rows[: 3 * size], size) for size in sizes]
        return max(float(np.abs(vectors - expected[: len(vectors)]).max()) for vectors in actual)

    def _encode(self, run: Run, side: int, rows: list[Row], size: int) -> np.ndarray:
        """Run a graph in batches of rows of similar length, and return one side `[n, dimension]`."""
        order = sorted(range(len(rows)), key=lambda i: _length(rows[i]))
        vectors = np.empty((len(rows), self.teacher.dimension), dtype=np.float32)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            vectors[batch] = run(*self.tokenizer([rows[i] for i in batch]))[side]
        return vectors


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute the cosines of n pairs of rows: `[n, d]`, `[n, d]` -> `[n]`."""
    return (normalize(x) * normalize(y)).sum(-1)


def _length(row: Row) -> int:
    return max(len(text or "") for text in row)


def _seconds(function: Callable[[np.ndarray, np.ndarray], object], batches: Sequence[Any]) -> float:
    start = time.perf_counter()
    for batch in batches:
        function(*batch)
    return time.perf_counter() - start
