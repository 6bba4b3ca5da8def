"""Trajectories: each turn of a dialogue is replaced by its step, a cluster of utterances of one speaker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cube_model.clustering import Clusters, Tree
from cube_model.data.turns import Turns
from cube_model.errors import ModelError
from cube_model.flow.config import SCALE
from cube_model.flow.dialogues import SPEAKERS

_EXAMPLES = 5
"""Number of utterances that a step shows."""

_ACTIONS = 3
"""Number of actions that a step shows."""


@dataclass(frozen=True)
class Step:
    """A cluster of utterances of one speaker.

    Attributes:
        name: `U1` for the most frequent step of the user, `S1` for that of the system, and so on.
        speaker: `user` or `system`.
        count: Number of turns.
        dialogues: Number of dialogues with such a turn.
        position: Mean place of the turns in their dialogues, from 0.
        examples: Utterances, the nearest to the centre of the cluster first.
        actions: The most frequent acts with their slots, and the number of turns of each.
    """

    name: str
    speaker: str
    count: int
    dialogues: int
    position: float
    examples: tuple[str, ...]
    actions: tuple[tuple[str, int], ...]


class SpeakerTexts:
    """The distinct utterances of one speaker, and the tree of their clusters.

    Args:
        turns: Turns.
        rows: Numbers of the speaker's turns, int64.
        texts: The distinct texts of these turns.
        vectors: Their vectors, float32 `[len(texts), d]`.
        seed: Seed of the sample, if there are many texts.
    """

    def __init__(
        self, turns: Turns, rows: np.ndarray, texts: Sequence[str], vectors: np.ndarray, *, seed: int = 0
    ) -> None:
        self.rows, self.texts = rows, list(texts)
        numbers = {text: number for number, text in enumerate(texts)}
        self.text_of_row = np.array([numbers[turns.texts[row]] for row in rows.tolist()], dtype=np.int64)
        self.tree = Tree(vectors, seed=seed)

    def cut(self, speaker: str, threshold: float | None, steps: int | None) -> Clusters:
        """Cut the tree as the options say.

        Raises:
            ModelError: There are fewer different utterances than steps.
        """
        if steps is None:
            return self.tree.cut(distance=SCALE * self.tree.mean_distance if threshold is None else threshold)
        if steps > self.tree.size:
            raise ModelError(
                f"steps: {steps} are more than the {self.tree.size} different utterances of the {speaker}; choose fewer"
            )
        return self.tree.cut(count=steps)


def names_of_turns(turns: Turns, speakers: Mapping[str, SpeakerTexts], clusters: Mapping[str, Clusters]) -> list[str]:
    """Return the name of the step of each turn; `""` for turns that are not in the flow."""
    names = [""] * len(turns)
    for speaker, each in speakers.items():
        labels = clusters[speaker].labels[each.text_of_row]
        order = np.argsort(-np.bincount(labels), kind="stable")  # the most frequent first
        number = np.argsort(order, kind="stable") + 1
        for row, label in zip(each.rows.tolist(), labels.tolist(), strict=True):
            names[row] = f"{speaker[0].upper()}{number[label]}"
    return names


def by_dialogue(turns: Turns, names: Sequence[str]) -> dict[str, list[str]]:
    """Return dialogue id -> names of its turns in order, without turns whose name is empty."""
    trajectories: dict[str, list[str]] = {}
    for dialogue, name in zip(turns.dialogues.tolist(), names, strict=True):
        if name:
            trajectories.setdefault(turns.dialogue_ids[dialogue], []).append(name)
    return trajectories


def describe_steps(
    turns: Turns, speakers: Mapping[str, SpeakerTexts], clusters: Mapping[str, Clusters], names: Sequence[str]
) -> dict[str, Step]:
    """Describe every step, by its name: those of the user first, each by frequency."""
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name:
            rows_of.setdefault(name, []).append(row)
    steps = {}
    for speaker in SPEAKERS:
        each = speakers.get(speaker)
        if each is None:
            continue
        centres, labels = clusters[speaker].centres, clusters[speaker].labels
        nearness = np.round(np.einsum("nd,nd->n", each.tree.vectors, centres[labels]), 6)
        counts = np.bincount(each.text_of_row, minlength=len(each.texts))
        order = np.lexsort((-counts, -nearness))  # the nearest first, of equally near ones the most frequent
        members: dict[int, list[str]] = {}
        for text in order.tolist():
            nearest = members.setdefault(int(labels[text]), [])
            if len(nearest) < _EXAMPLES:
                nearest.append(each.texts[text])
        own = zip(each.rows.tolist(), each.text_of_row.tolist(), strict=True)
        label_of = {names[row]: int(labels[text]) for row, text in own}
        for name in sorted(label_of, key=lambda name: int(name[1:])):
            rows = rows_of[name]
            actions = Counter(action for row in rows if (action := turns.action(row)))
            steps[name] = Step(
                name=name,
                speaker=speaker,
                count=len(rows),
                dialogues=len(np.unique(turns.dialogues[rows])),
                position=float(turns.positions[rows].mean()),
                examples=tuple(members[label_of[name]]),
                actions=tuple(sorted(actions.items(), key=lambda item: (-item[1], item[0]))[:_ACTIONS]),
            )
    return steps
