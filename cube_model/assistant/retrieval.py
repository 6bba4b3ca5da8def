"""Find the entries whose questions are nearest to a question, and what tells whether one of them answers it.

>>> matches = find(view, teacher.encode(["May my dog come along?"]), ["May my dog come along?"])
>>> features(view, matches).shape
(1, 10)
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

CANDIDATES = 64
"""Entries that are found for each question; their answers are grouped."""

NEIGHBOURS = 10
"""Entries whose mean similarity is a feature."""

ANSWERS = 3
"""Entries with the same answer whose mean similarity is a feature."""

_STEM = 5
"""Letters of a word that are compared, which joins most inflected forms, as in Russian."""

_BLOCK = 1 << 24
"""Number of similarities in memory at once (64 MB)."""

_WORD = re.compile(r"[^\W_]+")
_WITHOUT_SPACES = re.compile("([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")
"""Characters of scripts that write words without spaces between them; each counts as a word."""

FEATURES = (
    "best",
    "answer",
    "mean_of_nearest",
    "margin",
    "mean_of_answer",
    "agreement",
    "coherence",
    "overlap_with_best",
    "overlap_with_nearest",
    "length",
)
"""What tells whether a question can be answered; see `features`."""


def stems(text: str) -> list[str]:
    """Return the beginnings of the words of a text, in lower case.

    >>> stems("Parking? I'd park here.")
    ['parki', 'i', 'd', 'park', 'here']
    """
    return [word[:_STEM] for word in _WORD.findall(_WITHOUT_SPACES.sub(r" \1 ", text.lower()))]


@dataclass(frozen=True)
class Segment:
    """Entries that were added together.

    Attributes:
        table: n entries.
        vectors: float32 `[n, dimension]`, of length 1: their questions.
        answer_vectors: The same for their answers; None: they are not compared.
        answers: int64 `[n]`, equal for answers that differ in case, punctuation and spacing only.
        words: Number of questions and answers with each stem.
    """

    table: pa.Table
    vectors: np.ndarray
    answers: np.ndarray
    words: Counter[str]
    answer_vectors: np.ndarray | None = None

    @classmethod
    def of(cls, table: pa.Table, vectors: np.ndarray, answer_vectors: np.ndarray | None = None) -> Segment:
        """Make a segment of entries and the vectors of their questions and answers."""
        from cube_model.data.own_rows import text_keys

        words: Counter[str] = Counter()
        for column in ("question", "answer"):
            for text in table[column].to_pylist():
                words.update(set(stems(text)))
        return cls(table, vectors, text_keys(table["answer"].combine_chunks()), words, answer_vectors)


class View:
    """The entries at one version; it never changes, so threads share it.

    Args:
        segments: Segments in the order in which they were added.
        alive: bool `[n]`: whether each of all n entries is still there.
        version: Version of the answers.

    Attributes:
        table: n entries, also those that were removed.
        answers: int64 `[n]`; see `Segment`.
    """

    def __init__(self, segments: Sequence[Segment], alive: np.ndarray, version: int = 1) -> None:
        import pyarrow as pa

        self.segments, self.alive, self.version = tuple(segments), alive, version
        self.table: pa.Table = pa.concat_tables([segment.table for segment in segments])
        self.answers = np.concatenate([segment.answers for segment in segments])

    def __len__(self) -> int:
        return int(self.alive.sum())

    @cached_property
    def weights(self) -> Weights:
        """Weights of the words."""
        words: Counter[str] = Counter()
        for segment in self.segments:
            words.update(segment.words)
        return Weights(words, 2 * len(self.table))

    @cached_property
    def questions(self) -> list[str]:
        """The n questions."""
        return list(self.table["question"].to_pylist())

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors of some entries: rows `[...]` to float32 `[..., dimension]`."""
        return self._gathered(rows, [segment.vectors for segment in self.segments])

    def answer_vectors(self, rows: np.ndarray) -> np.ndarray:
        """The same for their answers; zeros where they are not compared."""
        parts = [segment.answer_vectors for segment in self.segments]
        return self._gathered(rows, parts)

    def _gathered(self, rows: np.ndarray, parts: Sequence[np.ndarray | None]) -> np.ndarray:
        result = np.zeros((*rows.shape, self.segments[0].vectors.shape[1]), np.float32)
        start = 0
        for segment, part in zip(self.segments, parts, strict=True):
            inside = (rows >= start) & (rows < start + len(segment.vectors))
            if part is not None:
                result[inside] = part[rows[inside] - start]
            start += len(segment.vectors)
        return result


class Weights:
    """How much each word tells: its inverse document frequency (Sparck Jones, 1972), smoothed as in BM25.

    Args:
        words: Number of texts with each stem.
        count: Number of texts.
    """

    def __init__(self, words: Counter[str], count: int) -> None:
        self._words, self._count = words, count

    def of(self, stem: str) -> float:
        """Return the weight of a stem; the largest for one that no text has."""
        frequency = self._words.get(stem, 0)
        return math.log(1 + (self._count - frequency + 0.5) / (frequency + 0.5))

    def share(self, question: set[str], other: set[str]) -> float:
        """Return the weighted share of a question's words that are among others, 0 to 1."""
        total = sum(map(self.of, question))
        return sum(self.of(stem) for stem in question & other) / total if total else 0.0


@dataclass(frozen=True)
class Matches:
    """The nearest entries of m questions.

    Attributes:
        questions: m questions.
        rows: int64 `[m, k]`, the nearest first; -1 where there are fewer.
        scores: float32 `[m, k]`, cosines of the questions; -1 where there is no entry.
        answers: float32 `[m, k]`, cosines of question and answer; 0 where they are not compared.
    """

    questions: Sequence[str]
    rows: np.ndarray
    scores: np.ndarray
    answers: np.ndarray


def find(
    view: View,
    vectors: np.ndarray,
    questions: Sequence[str],
    hidden: Callable[[int], np.ndarray | None] = lambda _: None,
    k: int = CANDIDATES,
) -> Matches:
    """Find the entries whose questions are nearest.

    Args:
        view: Entries.
        vectors: float32 `[m, dimension]`, of length 1.
        questions: m questions.
        hidden: Function of the number of a question that returns which entries it must not find, bool `[n]`, or None.
        k: Number of entries to find.
    """
    total = len(view.table)
    k = min(k, total)
    rows = np.full((len(vectors), k), -1, np.int64)
    scores = np.full((len(vectors), k), -1, np.float32)
    answers = np.zeros((len(vectors), k), np.float32)
    step = max(1, _BLOCK // max(1, total))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        similarities = np.concatenate([block @ segment.vectors.T for segment in view.segments], axis=1)
        similarities[:, ~view.alive] = -np.inf
        for number, line in enumerate(similarities, start):
            mask = hidden(number)
            if mask is not None:
                line[mask] = -np.inf
            best = np.argpartition(-line, k - 1)[:k] if k < total else np.arange(total)
            best = best[np.lexsort((best, -line[best]))]
            best = best[np.isfinite(line[best])]
            rows[number, : len(best)], scores[number, : len(best)] = best, line[best]
            answers[number, : len(best)] = view.answer_vectors(best) @ vectors[number]
    return Matches(questions, rows, scores, answers)


def features(view: View, matches: Matches, places: np.ndarray | None = None) -> np.ndarray:
    """Compute what tells whether an entry answers a question.

    Args:
        view: Entries.
        matches: The nearest entries of m questions.
        places: int64 `[m]`: which of the matches of each question to look at. Default: the best.

    Returns:
        float64 `[m, 10]`, in the order of `FEATURES`: similarity of the questions; that of question and answer; mean of
        the first over the nearest; how much more similar the question is than the best one with another answer; mean
        similarity of the best with the same answer; share of the nearest that have it; mean similarity of the matched
        question to the nearest others; weighted share of the words of the question that the matched entry has, and that
        the nearest entries have; logarithm of the number of words. Zeros where there is no match.
    """
    result = np.zeros((len(matches.rows), len(FEATURES)))
    places = np.zeros(len(result), np.int64) if places is None else places
    near = matches.rows[:, :NEIGHBOURS]
    near_vectors = view.vectors(np.maximum(near, 0))
    weights = view.weights
    for number, place in enumerate(places):
        rows, scores = matches.rows[number], matches.scores[number]
        rows, scores = rows[rows >= 0], scores[rows >= 0]
        question = set(stems(matches.questions[number]))
        if not len(rows):
            continue
        row, score = rows[place], float(scores[place])
        same = scores[view.answers[rows] == view.answers[row]]
        others = scores[view.answers[rows] != view.answers[row]]
        count = min(NEIGHBOURS, len(rows))
        own = view.vectors(rows[place : place + 1])[0]
        others_near = near[number, :count] != row
        coherence = (near_vectors[number, :count] @ own)[others_near]
        words = set(stems(view.questions[row]))
        nearby = set().union(*(stems(view.questions[near_row]) for near_row in near[number, :count]))
        result[number] = (
            score,
            matches.answers[number, place],
            scores[:count].mean(),
            score - float(others[0]) if len(others) else 0.5,
            same[:ANSWERS].mean(),
            (view.answers[rows[:count]] == view.answers[row]).mean(),
            coherence.mean() if len(coherence) else 0.0,
            weights.share(question, words),
            weights.share(question, nearby),
            math.log1p(len(question)),
        )
    return result
