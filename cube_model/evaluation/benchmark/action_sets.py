"""Utterances labelled with actions: Dialog2Flow's published set, and the test splits of a dataset.

>>> from cube_model.evaluation.benchmark.action_sets import read_action_set
>>> len(read_action_set("unified_evaluation.json"))
4693
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.digest import digest_of
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.data.turns import Turns

_SHA256 = "af0e85718b5c9811360264129afaccbd3a4268a0cfef93283c309a812e7bb982"
PUBLISHED = "dialog2flow"
"""Name of the published set."""

WHERE = (
    "fetch https://raw.githubusercontent.com/idiap/dialog2flow/1911d8066e99f58711b3417402cab144f377c40c/"
    "data/unified_evaluation/trajectories.single_domain.json (MIT licence)"
)

SMALLEST_LABEL, LARGEST_LABEL = 6, 20
"""Fewest and most utterances of a label from a dataset: 1-shot needs six, and the published set has 15 of each."""

_PROTOCOL = "actions v1: Dialog2Flow's few-shot prototypes"


@dataclass(frozen=True)
class ActionSet:
    """n utterances, each with one label: its speaker, acts and slots.

    Attributes:
        name: Source, or name of a published set.
        language: BCP 47 tag.
        texts: n utterances.
        labels: int64 `[n]`, indices of `names`.
        names: Labels, sorted.
        protocol: Where the labels come from, for the results.
    """

    name: str
    language: str
    texts: list[str]
    labels: np.ndarray
    names: list[str]
    protocol: str

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(cls, name: str, language: str, rows: Sequence[tuple[str, str]], protocol: str) -> ActionSet:
        """Make a set from utterances and the names of their labels."""
        names, labels = np.unique([label for _, label in rows], return_inverse=True)
        return cls(name, language, [text for text, _ in rows], labels, names.tolist(), protocol)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of utterances and labels."""
        return digest_of(self.texts, (self.names[label] for label in self.labels))

    def limited(self, count: int | None, seed: int) -> ActionSet:
        """Return whole labels, chosen at random, of at most `count` utterances in all; everything without a count.

        A published set stays whole: its figures are compared with published ones, and fewer labels are easier.
        """
        if count is None or len(self) <= count or self.name == PUBLISHED:
            return self
        order = np.random.default_rng(seed).permutation(len(self.names))
        ends = np.cumsum(np.bincount(self.labels)[order])
        kept = set(order[: max(2, np.searchsorted(ends, count, side="right"))].tolist())
        rows = [(text, self.names[label]) for text, label in zip(self.texts, self.labels, strict=True) if label in kept]
        return self.of(self.name, self.language, rows, f"{self.protocol}; labels sampled to {count:,} utterances")


def read_action_set(path: str | os.PathLike[str]) -> ActionSet:
    """Read Dialog2Flow's evaluation set, or own utterances in its form.

    The file maps ids of dialogues to `{"goal": {...}, "log": [{"text": utterance, "turn": "SPEAKER: label"}, ...]}`.
    The first and the last entry of a log are left out, as the authors' program does, so that their figures compare.

    Args:
        path: JSON file.

    Raises:
        ModelError: The file does not exist or has another form.
    """
    file = Path(path).expanduser()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"action set {path}: cannot be read ({error.strerror}); {WHERE}") from error
    try:
        rows = [
            (str(turn["text"]), str(turn["turn"]))
            for dialogue in json.loads(content).values()
            for turn in dialogue["log"][1:-1]
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"action set {path}: not in the form of Dialog2Flow's evaluation set; {WHERE}") from error
    if len({label for _, label in rows}) < 2:
        raise ModelError(f"action set {path}: fewer than two labels; {WHERE}")
    published = hashlib.sha256(content).hexdigest() == _SHA256
    name = PUBLISHED if published else file.stem
    return ActionSet.of(name, "en" if published else "und", rows, f"{_PROTOCOL}, {'its' if published else 'own'} set")


def action_sets(turns: Turns) -> Iterator[ActionSet]:
    """Yield the labelled utterances of each source and language.

    Of equal texts with the same label one is kept. Of a label with more than `LARGEST_LABEL`, those with the lowest
    SHA-256 are, so that the choice does not depend on the order of the rows; one with fewer than `SMALLEST_LABEL` is
    left out.

    Args:
        turns: Turns of a test split.
    """
    parts: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in range(len(turns)):
        if action := turns.action(row):
            dialogue = turns.dialogues[row]
            part = parts.setdefault((turns.sources[dialogue], turns.languages[dialogue] or "und"), {})
            text = turns.texts[row]
            part.setdefault(f"{turns.speakers[row]}: {action}", {}).setdefault(" ".join(text.casefold().split()), text)
    protocol = f"{_PROTOCOL}, test split, {SMALLEST_LABEL} to {LARGEST_LABEL} distinct texts a label"
    for (source, language), labels in parts.items():
        enough = {label: texts for label, texts in sorted(labels.items()) if len(texts) >= SMALLEST_LABEL}
        if len(enough) > 1:
            rows = [(text, label) for label, texts in enough.items() for text in _lowest(texts)]
            yield ActionSet.of(source, language, rows, protocol)


def _lowest(texts: dict[str, str]) -> list[Any]:
    ordered = sorted(texts, key=lambda text: hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return [texts[text] for text in ordered[:LARGEST_LABEL]]
