"""Whole dialogues: their domains, the next act of the system, and the nearest dialogues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cube_model.data.digest import digest_of
from cube_model.evaluation.benchmark.inputs import Inputs, NoDataError
from cube_model.evaluation.benchmark.part import Entry, Part, Subject, figure, sample
from cube_model.evaluation.benchmark.probe import PROBE, Labelled, score_probe
from cube_model.metrics.metrics import bootstrap_interval, normalize

if TYPE_CHECKING:
    from cube_model.data.turns import Turns

MOST_TRAIN, MOST_TEST = 1_000, 500
"""Maximum number of dialogues of a source and language, sampled with the seed, which bounds the time of encoding."""

FIRST_TURNS = (1, 3)
"""Numbers of turns at the beginning of a dialogue from which its domains are predicted, besides all of them."""

_FEWEST = 20
"""Fewest training and test dialogues of a task."""

_SIZES = f"at most {MOST_TRAIN:,} training and {MOST_TEST} test dialogues"
DOMAINS = f"domains v1: linear probe on the mean of turn vectors, {_SIZES}"
NEXT_ACT = f"next-act v1: linear probe on the turns before a system turn, {_SIZES}"
NEAREST = f"nearest v1: mean of turn vectors, nearest other test dialogue, at most {MOST_TEST} dialogues"


@dataclass(frozen=True)
class Dialogue:
    """A dialogue of a source.

    Attributes:
        texts: Its turns.
        speakers: Speaker of each turn.
        acts: Acts of each turn, in common words.
        domains: Domains, in common words.
        scenario: What the user was asked to do; None if that is not recorded.
    """

    texts: list[str]
    speakers: list[str]
    acts: list[tuple[str, ...]]
    domains: tuple[str, ...]
    scenario: str | None = None


Key = tuple[str, str]
"""Source and language."""


@dataclass(frozen=True)
class DialogueData:
    """Dialogues by source and language.

    Attributes:
        train: Dialogues to learn from.
        test: Dialogues to judge by.
    """

    train: dict[Key, list[Dialogue]]
    test: dict[Key, list[Dialogue]]


def load_dialogues(inputs: Inputs) -> DialogueData:
    """Read the dialogues of a dataset.

    Args:
        inputs: The dataset.

    Raises:
        ModelError: No test dialogue has domains, acts or scenarios; or the dataset cannot be read.
    """
    config = inputs.config
    test = _by_source(inputs.turns, min(MOST_TEST, config.max_rows or MOST_TEST), config.seed, inputs.scenarios)
    turns = inputs.training_turns
    most = min(MOST_TRAIN, 2 * (config.max_rows or MOST_TRAIN))
    data = DialogueData({} if turns is None else _by_source(turns, most, config.seed, {}), test)
    if not list(_tasks(data)):
        raise NoDataError(
            f"{inputs.data}: no source has {_FEWEST} training and test dialogues with different domains, with acts or "
            "with shared scenarios (SGD and WOZ do); add one"
        )
    return data


def _by_source(turns: Turns, most: int, seed: int, scenarios: dict[str, str]) -> dict[Key, list[Dialogue]]:
    ends = np.append(np.flatnonzero(np.diff(turns.dialogues)) + 1, len(turns))
    starts = np.append(0, ends[:-1])
    places: dict[Key, list[int]] = {}
    for place, dialogue in enumerate(turns.dialogues[starts].tolist()):
        places.setdefault((turns.sources[dialogue], turns.languages[dialogue] or "und"), []).append(place)

    def dialogue_at(place: int) -> Dialogue:
        rows, number = slice(starts[place], ends[place]), int(turns.dialogues[starts[place]])
        scenario = scenarios.get(turns.dialogue_ids[number])
        return Dialogue(turns.texts[rows], turns.speakers[rows], turns.acts[rows], turns.domains[number], scenario)

    return {
        key: [dialogue_at(members[number]) for number in sample(len(members), most, seed)]
        for key, members in places.items()
    }


@dataclass(frozen=True)
class _Task:
    key: Key
    name: str
    protocol: str
    train: list[Dialogue]
    test: list[Dialogue]
    entries: Callable[[Subject, list[Dialogue], list[Dialogue]], Iterator[Entry]]


def _tasks(data: DialogueData) -> Iterator[_Task]:
    for key, test in data.test.items():
        train = data.train.get(key, [])
        for name, protocol, entries, usable in (
            ("domains", DOMAINS, _domains, lambda dialogue: dialogue.domains),
            ("next act", NEXT_ACT, _next_act, _system_rows),
        ):
            learnt, judged = ([dialogue for dialogue in part if usable(dialogue)] for part in (train, test))
            labels = {label for dialogue in judged for label in _labels(name, dialogue)}
            if min(len(learnt), len(judged)) >= _FEWEST and len(labels) > 1:
                yield _Task(key, name, protocol, learnt, judged, entries)
        if any(_repeated(names) for names in _groupings(test).values()):
            yield _Task(key, "nearest", NEAREST, [], test, _nearest)


def _labels(name: str, dialogue: Dialogue) -> list[tuple[str, ...]]:
    return [dialogue.domains] if name == "domains" else [dialogue.acts[row] for row in _system_rows(dialogue)]


def dialogue_parts(subject: Subject, data: DialogueData) -> Iterator[Part]:
    """Yield a part for each source, language and task that its annotations allow.

    Args:
        subject: What is judged.
        data: See `load_dialogues`.
    """
    limit = subject.config.max_rows
    sampled = "" if limit is None else f"; at most {limit:,} test and {2 * limit:,} training dialogues"
    for task in _tasks(data):
        source, language = task.key
        shared = {
            "task": "dialogues",
            "protocol": task.protocol + sampled,
            "source": source,
            "language": language,
            "seed": subject.config.seed,
        }
        facts = {
            "protocol": shared["protocol"],
            "data": digest_of(task.train, task.test),
            "seed": shared["seed"],
        }
        if task.name == "next act":
            facts["context"] = subject.config.context_turns
        yield Part(
            f"dialogues: {source} ({language}): {task.name}",
            facts,
            lambda task=task, shared=shared: [  # type: ignore[misc]
                {**shared, **entry} for entry in task.entries(subject, task.train, task.test)
            ],
        )


def _domains(subject: Subject, train: list[Dialogue], test: list[Dialogue]) -> Iterator[Entry]:
    for first in (*FIRST_TURNS, None):
        learnt, judged = (
            Labelled(_means(subject, part, first), [dialogue.domains for dialogue in part], np.arange(len(part)))
            for part in (train, test)
        )
        setting = "domains" if first is None else f"domains, first {first} turn{'s' if first > 1 else ''}"
        for entry in score_probe(learnt, judged, subject.config.seed):
            yield {"setting": setting, **entry, "settings": PROBE}


def _means(subject: Subject, dialogues: Sequence[Dialogue], first: int | None = None) -> np.ndarray:
    """The mean of the vectors of the first turns of each dialogue, with norm 1."""
    texts = [dialogue.texts[:first] for dialogue in dialogues]
    vectors = subject.encoder.encode([text for own in texts for text in own])
    starts = np.cumsum([0, *(len(own) for own in texts[:-1])])
    return normalize(np.add.reduceat(vectors, starts, axis=0))


def _system_rows(dialogue: Dialogue) -> list[int]:
    """The system's turns with acts, except an opening one."""
    return [row for row in range(1, len(dialogue.texts)) if dialogue.speakers[row] == "system" and dialogue.acts[row]]


def _next_act(subject: Subject, train: list[Dialogue], test: list[Dialogue]) -> Iterator[Entry]:
    turns = 1 + subject.config.context_turns

    def labelled(part: list[Dialogue]) -> Labelled:
        rows = [(dialogue, number, row) for number, dialogue in enumerate(part) for row in _system_rows(dialogue)]
        histories = [dialogue.texts[max(0, row - turns) : row][::-1] for dialogue, _, row in rows]
        labels = [dialogue.acts[row] for dialogue, _, row in rows]
        groups = np.array([number for _, number, _ in rows])
        return Labelled(subject.encoder.encode_turns(histories), labels, groups)

    learnt, judged = labelled(train), labelled(test)
    for entry in score_probe(learnt, judged, subject.config.seed):
        yield {"setting": "next act", **entry, "settings": {**PROBE, "turns": turns}}


def _groupings(dialogues: Sequence[Dialogue]) -> dict[str, list[str]]:
    """By metric, what near dialogues should have in common; empty where a dialogue lacks it."""
    domains = ["+".join(dialogue.domains) for dialogue in dialogues]
    groupings = {"same_scenario": [dialogue.scenario or "" for dialogue in dialogues]}
    return {"same_domains": domains, **groupings} if len(set(domains) - {""}) > 1 else groupings


def _repeated(names: Sequence[str]) -> bool:
    """Whether enough dialogues share their name with another one, and not all of them with all."""
    counts = Counter(name for name in names if name)
    return len(counts) > 1 and sum(count for count in counts.values() if count > 1) >= _FEWEST


def _nearest(subject: Subject, _: list[Dialogue], test: list[Dialogue]) -> Iterator[Entry]:
    vectors = _means(subject, test)
    for metric, names in _groupings(test).items():
        if _repeated(names):
            labels = np.unique(names, return_inverse=True)[1]
            named = np.array([bool(name) for name in names])
            hits, chance = nearest_hits(vectors[named], labels[named])
            interval = bootstrap_interval(hits, np.arange(len(hits)), seed=subject.config.seed)[1:]
            facts = {"chance": float(chance.mean()), "test_rows": len(hits), "dialogues": int(named.sum())}
            yield {"setting": "nearest", **figure(metric, hits.mean(), interval, "dialogues"), **facts}


def nearest_hits(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Test whether the nearest other row of each row has its label, for rows that share their label with another one.

    Args:
        vectors: float `[n, d]`, rows of norm 1.
        labels: int `[n]`.

    Returns:
        Hits and the shares of other rows with the label, float `[m]` each. Several nearest rows count by their share.
    """
    scores = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    same = labels[:, None] == labels[None, :]
    np.fill_diagonal(same, False)
    best = scores >= scores.max(1, keepdims=True) - 1e-9
    rows = same.any(1)
    hits = (best & same).sum(1) / best.sum(1)
    return hits[rows], same.sum(1)[rows] / (len(labels) - 1)
