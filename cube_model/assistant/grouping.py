"""Answers that are nearly the same count as one, so that five results are five answers; the nearest questions vote.

The vote is that of k nearest neighbours with weights. In FAQs made of CLINC150's intents (all-MiniLM-L6-v2), the first
answer to 87.2 % of the test questions is right with 150 answers of 20 questions (84.5 % by the nearest question alone),
to 77.8 % (74.8 %) with 4 questions each. BM25 by reciprocal rank fusion gives 84.7 % and 74.8 %, and with a single
question for each answer 53.2 % in place of 65.2 %, so it is left out.

Questions are compared with the answers too (as by Sakata et al., arXiv:1905.02851): of 32 new questions to a Russian
FAQ, multilingual-e5-small then finds the right answer to 27 in place of 21. Their weight was chosen on this FAQ. On
SGD, an encoder that was trained with context then has the true action first for 35.1 % of the questions (33.9 % without
it), all-MiniLM-L6-v2 for 23.5 % (25.5 %). Where slots are annotated, answers are compared as templates.
`tests/benchmarks/bench_assistant_answers.py` measures all that.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cube_model.assistant.retrieval import NEIGHBOURS, Matches, View

_WORD = re.compile(r"[^\W\d_]+")
_ALIKE = 0.8
"""Jaccard similarity of their words from which two answers count as one; numbers are no words."""

_COMPARED = 5_000
"""Characters of an answer that are compared, since their words are kept for later questions."""

_OF_ANSWER = 0.5
"""Weight of the similarity of question and answer beside that of the questions."""

_SAME, _DECIDES = 0.9999, 1e6
"""Similarity from which a question is one of the entries, and its votes: it gets the answer of that entry."""

_SHARPNESS = 10.0
"""How fast the weight of a vote falls with the similarity, measured from that of unrelated texts."""


@dataclass(frozen=True)
class AnswerGroup:
    """Entries with nearly the same answer.

    Attributes:
        row: The entry that is nearest to the question.
        place: Its place among the matches.
        similar: Number of the other matches in the group.
    """

    row: int
    place: int
    similar: int


def group_answers(view: View, matches: Matches, number: int, k: int, unrelated: float) -> list[AnswerGroup]:
    """Group the matches of a question.

    Args:
        view: Entries.
        matches: Matches of m questions.
        number: Number of the question.
        k: Largest number of groups.
        unrelated: Mean cosine of texts that have nothing to do with each other.

    Returns:
        Groups by the votes of the nearest questions, the most first; then those without a vote, the nearest first.
    """
    rows, scores = matches.rows[number], matches.scores[number]
    there = rows >= 0
    rows, together = rows[there], (scores + _OF_ANSWER * matches.answers[number])[there]
    voters = set(np.argsort(-together, kind="stable")[:NEIGHBOURS].tolist())
    answers = [view.answer_texts[row] for row in rows]
    first: list[int] = []
    words: list[frozenset[str]] = []
    having: dict[str, list[int]] = {}
    sizes: list[int] = []
    votes: list[float] = []
    keys: dict[int, int] = {}
    for place, (row, text) in enumerate(zip(rows.tolist(), answers, strict=True)):
        key = int(view.answers[row])
        group = keys.get(key)
        if group is None:
            own, rare = _words(text[:_COMPARED])
            near = sorted({other for word in rare for other in having.get(word, ())})
            group = next((other for other in near if _is_alike(own, words[other])), None)
            if group is None:
                group = len(first)
                first.append(place)
                words.append(own)
                for word in rare:
                    having.setdefault(word, []).append(group)
                sizes.append(0)
                votes.append(0.0)
            keys[key] = group
        sizes[group] += 1
        if place in voters:
            gap = float(together[place] - together.max()) / max(1e-3, 1 - unrelated)
            votes[group] += float(np.exp(_SHARPNESS * gap)) + (_DECIDES if scores[place] > _SAME else 0)
    order = sorted(range(len(first)), key=lambda group: (-votes[group], first[group]))
    return [AnswerGroup(int(rows[first[group]]), first[group], sizes[group] - 1) for group in order[:k]]


def best_places(view: View, matches: Matches, unrelated: float) -> np.ndarray:
    """Return the place of the best answer among the matches of each of m questions, int64 `[m]`."""
    places = np.zeros(len(matches.rows), np.int64)
    for number in np.flatnonzero(matches.rows[:, 0] >= 0):
        places[number] = group_answers(view, matches, int(number), 1, unrelated)[0].place
    return places


@lru_cache(maxsize=1 << 15)
def _words(text: str) -> tuple[frozenset[str], list[str]]:
    """The words of an answer, and its rarest ones, by their length: two that are alike have one of those in common.

    This is the prefix filter of Bayardo et al. (WWW 2007): most pairs are ruled out without comparing their words.
    """
    words = frozenset(_WORD.findall(text.lower()))
    order = sorted(words, key=lambda word: (-len(word), word))
    return words, order[: len(words) - math.ceil(_ALIKE * len(words)) + 1]


def _is_alike(words: frozenset[str], others: frozenset[str]) -> bool:
    return bool(words and others) and len(words & others) >= _ALIKE * len(words | others)
