"""The questions that an assistant is calibrated on: some that its entries answer, some that they do not.

| kind | answerable | which questions, and which entries they must not find |
|---|---|---|
| `held out` | yes | those of the validation split; none |
| `another question` | yes | those of a FAQ whose answer has another one; the same question and its variations |
| `another dialogue` | yes | those of dialogues without a validation split; the entries of the same dialogue |
| `topic left out` | no | the first questions of dialogues; all entries that share a domain |
| `answer left out` | no | those of a FAQ; all entries with the same answer |
| `general` | no | `general_questions.txt`; none |
| `out of scope` | no | those that the user or the dataset marks; none |

The test split is never read for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from cube_model.assistant.calibration import ANOTHER_QUESTION, FEWEST, HELD_OUT, MARKED, Questions
from cube_model.assistant.grouping import best_places
from cube_model.assistant.retrieval import View, features, find, stem_set
from cube_model.data.own_rows import text_keys

if TYPE_CHECKING:
    import pyarrow as pa

    from cube_model.assistant.entries import EntryRows

_MOST = 2000
"""Questions of each kind; more are sampled."""

_VARIATION = 0.5
"""Jaccard similarity of their words from which a question is a variation of another.

On FAQs of CLINC150 with their first questions as written and others of its validation split, 11 and 14 % of the
answerable ones are refused (150 answers of 20 questions, 50 of 10); without it 19 and 22 %. Promised are 10 %.
"""

_SCRIPTS = {"latin": re.compile("[A-Za-z]"), "cyrillic": re.compile("[А-Яа-яЁё]")}

Encode = Callable[[Sequence[str], Sequence[Sequence[str] | None]], np.ndarray]
"""Function of n questions and the turns before them that returns float32 `[n, dimension]`, of length 1."""


@dataclass
class _Asked:
    """Questions of one kind."""

    kind: str
    texts: list[str]
    answerable: bool
    groups: list[str]
    hidden: Callable[[int], np.ndarray | None] = lambda _: None
    answers: np.ndarray | None = None
    contexts: list[Sequence[str] | None] = field(default_factory=list)


def calibration_questions(view: View, rows: EntryRows, encode: Encode, seed: int) -> Questions:
    """Ask the questions that calibrate an assistant.

    Args:
        view: The entries of the build.
        rows: The same, with the questions that were held out.
        encode: Encoder of the questions.
        seed: Seed of the samples.
    """
    random = np.random.default_rng(seed)
    topics = _entries_of_topics(view)
    asked = _held_out(rows.held_out, topics, random)
    asked += _of_single(view, rows.is_single, random)
    if not asked or not len(rows.held_out):
        asked += _of_dialogues(view, ~rows.is_single, random)
    opening = rows.held_out if len(rows.held_out) else rows.index
    asked += _without_topic(view, opening, topics, random)
    general = general_questions(view)
    asked.append(_Asked("general", general, False, general))
    if rows.out_of_scope:
        texts = _sample(rows.out_of_scope, random)
        asked.append(_Asked(MARKED, texts, False, texts))
    return _ask(view, [part for part in asked if part.texts], encode)


def _ask(view: View, asked: list[_Asked], encode: Encode) -> Questions:
    base = unrelated(view, encode)
    parts, right, answerable, groups, kinds = [], [], [], [], []
    for part in asked:
        matches = find(view, encode(part.texts, part.contexts or [()] * len(part.texts)), part.texts, part.hidden)
        places = best_places(view, matches, base)
        parts.append(features(view, matches, places))
        best = view.answers[np.maximum(matches.rows[np.arange(len(places)), places], 0)]
        is_right = np.full(len(part.texts), part.answerable)
        right.append(is_right if part.answers is None else is_right & (best == part.answers))
        answerable.append(np.full(len(part.texts), part.answerable))
        groups += part.groups
        kinds += [part.kind] * len(part.texts)
    codes = np.unique(np.array(groups), return_inverse=True)[1]
    return Questions(
        np.concatenate(parts),
        np.concatenate(answerable),
        np.concatenate(right),
        codes,
        np.array(kinds),
        base,
        any(part.answers is not None for part in asked),
    )


def unrelated(view: View, encode: Encode) -> float:
    """Return the mean cosine of general questions and the questions of the entries."""
    rows = np.flatnonzero(view.alive)
    rows = rows[:: max(1, len(rows) // _MOST)]
    general = general_questions(view)
    return float((view.vectors(rows) @ encode(general, [()] * len(general)).T).mean())


def _entries_of_topics(view: View) -> dict[str, np.ndarray]:
    """Domain -> which entries have it, bool `[n]`."""
    topics: dict[str, np.ndarray] = {}
    for number, names in enumerate(view.table["domains"].to_pylist()):
        for name in names or ():
            topics.setdefault(name, np.zeros(len(view.table), bool))[number] = True
    return topics


def _held_out(table: pa.Table, topics: dict[str, np.ndarray], random: np.random.Generator) -> list[_Asked]:
    """Questions of the validation split, without those whose domains no entry has."""
    domains = table["domains"].to_pylist()
    there = [row for row, names in enumerate(domains) if not names or any(name in topics for name in names)]
    part = table.take(_rows(np.array(there, np.int64), random))
    return [_asked_of(HELD_OUT, part, True)]


def _asked_of(kind: str, table: pa.Table, answerable: bool) -> _Asked:
    texts, contexts = table["question"].to_pylist(), table["context"].to_pylist()
    return _Asked(kind, texts, answerable, table["dialogue_id"].to_pylist(), contexts=contexts)


def _of_single(view: View, is_single: np.ndarray, random: np.random.Generator) -> list[_Asked]:
    """The questions of a FAQ, each without itself, and each without its answer."""
    candidates = np.flatnonzero(is_single)
    if not len(candidates):
        return []
    questions = text_keys(view.table["question"].combine_chunks())
    counts = dict(zip(*np.unique(view.answers, return_counts=True), strict=True))
    others = np.array([counts[view.answers[row]] > 1 for row in candidates])
    rows, left = _rows(candidates[others], random), _rows(candidates, random)
    return [
        _Asked(
            ANOTHER_QUESTION,
            [view.questions[row] for row in rows],
            True,
            [f"entry {row}" for row in rows],
            lambda number: _with_variations(view, rows[number], questions == questions[rows[number]]),
            view.answers[rows],
        ),
        _Asked(
            "answer left out",
            [view.questions[row] for row in left],
            False,
            [f"entry {row}" for row in left],
            lambda number: (view.answers == view.answers[left[number]]) | (questions == questions[left[number]]),
        ),
    ]


def _with_variations(view: View, row: int, hidden: np.ndarray) -> np.ndarray:
    """Hide the variations of a question too, those with the same answer and half of the words, but for the least alike.

    Whoever writes a FAQ varies a question more often than its users do: what is asked is less like the FAQ.
    """
    siblings = np.flatnonzero((view.answers == view.answers[row]) & ~hidden)
    own = stem_set(view.questions[row])
    others = [stem_set(view.questions[sibling]) for sibling in siblings]
    alike = np.array([len(own & other) / max(1, len(own | other)) for other in others])
    hidden = hidden.copy()
    hidden[siblings[(alike >= _VARIATION) & (np.arange(len(alike)) != alike.argmin())]] = True
    return hidden


def _of_dialogues(view: View, mask: np.ndarray, random: np.random.Generator) -> list[_Asked]:
    """Questions of dialogues, each without its dialogue; the answer is of the same kind in another dialogue."""
    dialogues = view.table["dialogue_id"].to_numpy()
    if len(np.unique(dialogues[mask])) < FEWEST:
        return []
    rows = _rows(np.flatnonzero(mask), random)
    return [
        _Asked(
            "another dialogue",
            [view.questions[row] for row in rows],
            True,
            [str(dialogues[row]) for row in rows],
            lambda number: dialogues == dialogues[rows[number]],
            contexts=view.table["context"].take(rows).to_pylist(),
        )
    ]


def _without_topic(
    view: View, table: pa.Table, topics: dict[str, np.ndarray], random: np.random.Generator
) -> list[_Asked]:
    """The first questions of dialogues, each without the entries that share a domain with it."""
    domains = table["domains"].to_pylist()
    openings = [row for row, context in enumerate(table["context"].to_pylist()) if not context and domains[row]]
    rows = _rows(np.array(openings, np.int64), random)
    nowhere = np.zeros(len(view.table), bool)
    names = [tuple(domains[row]) for row in rows]
    masks = {key: np.logical_or.reduce([topics.get(name, nowhere) for name in key]) for key in set(names)}
    keep = [number for number, key in enumerate(names) if not masks[key].all()]
    asked = _asked_of("topic left out", table.take(rows[keep]), False)
    asked.hidden = lambda number: masks[names[keep[number]]]
    return [asked]


def general_questions(view: View) -> list[str]:
    """Return general questions in the scripts of the entries: weather, sports, small talk."""
    text = " ".join(view.questions[:1000])
    scripts = [script for script in _SCRIPTS.values() if script.search(text)] or list(_SCRIPTS.values())
    lines = files("cube_model.assistant").joinpath("general_questions.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if any(script.search(line) for script in scripts)]


def _rows(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.sort(random.permutation(rows)[:_MOST]) if len(rows) > _MOST else rows


def _sample(texts: list[str], random: np.random.Generator) -> list[str]:
    return [texts[row] for row in _rows(np.arange(len(texts)), random)]
