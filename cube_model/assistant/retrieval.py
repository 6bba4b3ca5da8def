"""Find the entries whose questions are nearest to a question, and what tells whether one of them answers it.

>>> matches = find(view, teacher.encode(["May my dog come along?"]), ["May my dog come along?"])
>>> features(view, matches).shape
(1, 10)
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

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


@lru_cache(maxsize=1 << 15)  # the entries near to one question are near to others too
def stem_set(text: str) -> frozenset[str]:
    """Return the different stems of a text."""
    return frozenset(stems(text))


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
                words.update(set(stems(text)))  # not kept: there may be millions
        return cls(table, vectors, text_keys(table["answer"].combine_chunks()), words, answer_vectors)


class View:
    """The entries at one version; it never changes, so threads share it.

    Args:
        segments: Segments in the order in which they were added.
        alive: bool `[n]`: whether each of all n entries is still there.
        version: Version of the answers.
        calibrated: Which file has the calibration, and for which version it was made; see `store`.

    Attributes:
        table: n entries, also those that were removed.
        answers: int64 `[n]`; see `Segment`.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        alive: np.ndarray,
        version: int = 1,
        calibrated: Mapping[str, Any] | None = None,
    ) -> None:
        import pyarrow as pa

        self.segments, self.alive, self.version = tuple(segments), alive, version
        self.calibrated: Mapping[str, Any] = calibrated or {}
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

    @cached_property
    def answer_texts(self) -> list[str]:
        """The n answers, with names in place of the values of slots where those are annotated."""
        both = zip(self.table["template"].to_pylist(), self.table["answer"].to_pylist(), strict=True)
        return [template or answer for template, answer in both]

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

    def share(self, question: Set[str], other: Set[str]) -> float:
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
    gone, step = np.flatnonzero(~view.alive), max(1, _BLOCK // max(1, total))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        similarities = np.concatenate([block @ segment.vectors.T for segment in view.segments], axis=1)
        if len(gone):
            similarities[:, gone] = -np.inf
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


def features(
    view: View, matches: Matches, places: np.ndarray | None = None, lines: np.ndarray | None = None
) -> np.ndarray:
    """Compute what tells whether an entry answers a question.

    Args:
        view: Entries.
        matches: The nearest entries of m questions.
        places: int64 `[n]`: which of the matches of each question to look at. Default: the best.
        lines: int64 `[n]`: the question of each place, in ascending order. Default: one place for each question.

    Returns:
        float64 `[n, 10]`, in the order of `FEATURES`: similarity of the questions; that of question and answer; mean of
        the first over the nearest; how much more similar the question is than the best one with another answer; mean
        similarity of the best with the same answer; share of the nearest that have it; mean similarity of the matched
        question to the nearest others; weighted share of the words of the question that the matched entry has, and that
        the nearest entries have; logarithm of the number of words. Zeros where there is no match.
    """
    lines = np.arange(len(matches.rows)) if lines is None else lines
    places = np.zeros(len(lines), np.int64) if places is None else places
    result = np.zeros((len(lines), len(FEATURES)))
    question: _Near | None = None
    for number, (line, place) in enumerate(zip(lines.tolist(), places.tolist(), strict=True)):
        if question is None or question.line != line:
            question = _Near(view, matches, line)
        if len(question.rows):
            result[number] = question.features(place)
    return result


class _Near:
    """What is near to a question, computed once for all its answers."""

    def __init__(self, view: View, matches: Matches, line: int) -> None:
        self.line, self._view = line, view
        there = matches.rows[line] >= 0
        self.rows, self._scores = matches.rows[line][there], matches.scores[line][there]
        self._of_answers = matches.answers[line][there]
        near = self.rows[:NEIGHBOURS]
        self._keys = view.answers[self.rows]
        self._vectors = view.vectors(near)
        self._words = stem_set(matches.questions[line])
        nearby = frozenset().union(*(stem_set(view.questions[row]) for row in near))
        self._nearby = view.weights.share(self._words, nearby)
        self._mean = float(self._scores[:NEIGHBOURS].mean()) if len(near) else 0.0

    def features(self, place: int) -> tuple[float, ...]:
        row, score, count = self.rows[place], float(self._scores[place]), min(NEIGHBOURS, len(self.rows))
        same = self._keys == self._keys[place]
        others = self._scores[~same]
        own = self._vectors[place] if place < count else self._view.vectors(self.rows[place : place + 1])[0]
        coherence = (self._vectors @ own)[self.rows[:count] != row]
        return (
            score,
            float(self._of_answers[place]),
            self._mean,
            score - float(others[0]) if len(others) else 0.5,
            float(self._scores[same][:ANSWERS].mean()),
            float(same[:count].mean()),
            float(coherence.mean()) if len(coherence) else 0.0,
            self._view.weights.share(self._words, stem_set(self._view.questions[row])),
            self._nearby,
            math.log1p(len(self._words)),
        )
