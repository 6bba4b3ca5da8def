"""Tasks from the intent sets of the `downstream` config: training and test utterances of one source and language.

>>> from cube_model.evaluation.intents.task import load_intents
>>> [task.name for task in load_intents("my-corpus", ["banking77"]).tasks]  # a folder or a Hub repository
['banking77 (en)']
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cube_model.data.intent_rows import read_intent_rows
from cube_model.data.selection import is_spoken
from cube_model.errors import ModelError
from cube_model.evaluation.intents.config import LABELS

LEAK = "leak:text"
"""Flag of a row whose text also occurs in another official split."""

SEVERAL = "several labels or none, where one is expected"
"""Why the rows of an intent set are left out."""


@dataclass(frozen=True)
class Utterances:
    """n texts.

    Attributes:
        texts: n strings.
        labels: int64 `[n]`, indices in `IntentTask.classes`; -1 for out of scope.
        contaminated: bool `[n]`, whether the text also occurs in an official training split.
    """

    texts: list[str]
    labels: np.ndarray
    contaminated: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, rows: np.ndarray) -> Utterances:
        """Return the utterances at `rows`, a bool mask `[n]` or an int array."""
        indices = np.arange(len(self))[rows]
        return Utterances([self.texts[i] for i in indices], self.labels[indices], self.contaminated[indices])


@dataclass(frozen=True)
class LeftOut:
    """Rows that are in no task.

    Attributes:
        source: Source of the rows.
        language: BCP 47 tag.
        reason: Why they are left out, in words.
        rows: Their number in each of the splits `train` and `test`.
    """

    source: str
    language: str
    reason: str
    rows: dict[str, int]


@dataclass(frozen=True)
class Tasks:
    """The tasks of a dataset.

    Attributes:
        tasks: Tasks in the order of the dataset.
        left_out: Rows that are in none.
    """

    tasks: list[IntentTask] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True)
class IntentTask:
    """One classification task.

    Attributes:
        source: Source of the utterances.
        language: BCP 47 tag.
        predicts: Kind of label, one of `LABELS`.
        classes: Class names, sorted.
        train: In-scope training utterances, in the order of the dataset.
        test: In-scope test utterances, in the order of the dataset.
        outside: Out-of-scope test utterances; may be empty.
        fingerprint: SHA-256 of all rows.
    """

    source: str
    language: str
    predicts: str
    classes: list[str]
    train: Utterances
    test: Utterances
    outside: Utterances
    fingerprint: str

    @property
    def name(self) -> str:
        """Name such as `"massive (en-US)"` or `"massive (en-US), scenario"`."""
        return f"{self.source} ({self.language})" + (f", {self.predicts}" if self.predicts != LABELS[0] else "")


def load_intents(
    data: str | os.PathLike[str],
    sources: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    labels: Sequence[str] = LABELS,
    *,
    revision: str | None = None,
) -> Tasks:
    """Load the tasks of a dataset: one for each source, language and kind of label.

    A task has one label a row: rows with several intents or none are left out of the tasks that predict intents. A
    language without training rows, test rows or two labels is left out.

    Args:
        data: Dataset: folder written by `dialogue-cube build`, or Hub repository.
        sources: Sources. Default: all.
        languages: BCP 47 tags; `"en"` includes `"en-US"`. Default: all.
        labels: Kinds of label. A source without scenarios has no task for them.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        ModelError: The dataset, a source or a language does not exist; or no language of a source in `sources`, or of
            any source, makes a task.
    """
    if unknown := sorted(set(labels) - set(LABELS)):
        raise ModelError(f"unknown kind of label {', '.join(unknown)}; expected one of {', '.join(LABELS)}")
    train, test = (_Split(data, split, revision) for split in ("train", "test"))
    available = list(dict.fromkeys([*test.sources, *train.sources]))
    if missing := sorted(set(sources or ()) - set(available)):
        raise ModelError(f"{data}: no intents from {', '.join(missing)}; the dataset has {', '.join(available)}")
    keys = list(dict.fromkeys([*test.keys, *train.keys]))
    selection = [
        (source, language)
        for source, language in keys
        if (sources is None or source in sources) and is_spoken(language, languages)
    ]
    if not selection:
        tags = ", ".join(sorted({language for _, language in keys}))
        raise ModelError(f"{data}: no intents in {', '.join(languages or ())}; the dataset has {tags}")
    result, failures = Tasks(), dict[str, _UnusableError]()
    for source, language in selection:
        for kind in (kind for kind in LABELS if kind in labels):
            try:
                task = _task(data, source, language, kind, train, test)
            except _UnusableError as error:
                failures.setdefault(source, error)
                rows = {split.name: len(split.rows_of(source, language)) for split in (train, test)}
                if (left_out := LeftOut(source, language, error.reason, rows)) not in result.left_out:
                    result.left_out.append(left_out)
            else:
                result.tasks.extend([task] if task else [])
        several = {split.name: split.several(source, language) for split in (train, test)}
        if LABELS[0] in labels and any(several.values()):
            result.left_out.append(LeftOut(source, language, SEVERAL, several))
    used = {task.source for task in result.tasks}
    for source, failure in failures.items():
        if not used or (source in (sources or ()) and source not in used):
            raise failure
    return result


class _UnusableError(ModelError):
    """A source makes no task in a language."""

    def __init__(self, place: str, reason: str, advice: str) -> None:
        super().__init__(f"{place} {reason}; {advice}")
        self.reason = reason


class _Split:
    """Rows of one split, grouped by source and language."""

    def __init__(self, data: str | os.PathLike[str], name: str, revision: str | None) -> None:
        self.name = name
        self.table = read_intent_rows(data, name, revision)
        lengths = pc.fill_null(pc.list_value_length(self.table["labels"]), 1)
        self.has_one_label = pc.equal(lengths, 1).to_numpy()
        sources, languages = (self.table[column].to_pylist() for column in ("source", "language"))
        rows: dict[tuple[str, str], list[int]] = {}
        for row, key in enumerate(zip(sources, (tag or "und" for tag in languages), strict=True)):
            rows.setdefault(key, []).append(row)
        self.rows = rows

    @property
    def keys(self) -> list[tuple[str, str]]:
        return list(self.rows)

    @property
    def sources(self) -> Iterator[str]:
        return iter(dict.fromkeys(source for source, _ in self.rows))

    def rows_of(self, source: str, language: str, *, with_one_label: bool = False) -> pa.Table:
        rows = self._numbers(source, language)
        return self.table.take(rows[self.has_one_label[rows]] if with_one_label else rows)

    def several(self, source: str, language: str) -> int:
        """Number of rows with several labels or none."""
        return int((~self.has_one_label[self._numbers(source, language)]).sum())

    def _numbers(self, source: str, language: str) -> np.ndarray:
        return np.array(self.rows.get((source, language), ()), dtype=np.int64)


def _task(
    data: str | os.PathLike[str], source: str, language: str, kind: str, train: _Split, test: _Split
) -> IntentTask | None:
    """Return the task, or None if the source does not have this kind of label."""
    column = "label" if kind == LABELS[0] else kind
    is_intent, place = kind == LABELS[0], f"{data}: {source} ({language})"
    tables = {split.name: split.rows_of(source, language, with_one_label=is_intent) for split in (train, test)}
    for name, table in tables.items():
        labels, outside = table[column].to_pylist(), table["is_out_of_scope"].to_pylist()
        inside = [label for label, out in zip(labels, outside, strict=True) if not out]
        if not is_intent and not any(inside):
            return None
        if not inside:
            advice = "both train and test are needed: add them, or leave the source out with --sources and --language"
            raise _UnusableError(place, f"has no rows in split {name}", advice)
        if not all(inside):
            raise _UnusableError(place, f"has rows without {kind} in split {name}", "add the labels")
    classes = sorted({label for table in tables.values() for label in _inside(table, column)})
    if len(learnt := set(_inside(tables["train"], column))) < 2:
        raise _UnusableError(place, f"has a single {kind} in split train, {learnt.pop()}", "expected two or more")
    digest = hashlib.sha256(f"{source}\0{language}\0{kind}".encode())
    numbers = {label: number for number, label in enumerate(classes)}
    parts = {name: _utterances(table, column, numbers, digest) for name, table in tables.items()}
    in_scope = {name: part.select(part.labels >= 0) for name, part in parts.items()}
    return IntentTask(
        source,
        language,
        kind,
        classes,
        in_scope["train"],
        in_scope["test"],
        parts["test"].select(parts["test"].labels < 0),
        digest.hexdigest(),
    )


def _inside(table: pa.Table, column: str) -> list[str]:
    pairs = zip(table[column].to_pylist(), table["is_out_of_scope"].to_pylist(), strict=True)
    return [label for label, out in pairs if not out]


def _utterances(table: pa.Table, column: str, numbers: dict[str, int], digest: Any) -> Utterances:
    names = ("utterance", column, "is_out_of_scope", "flags")
    rows = list(zip(*(table[name].to_pylist() for name in names), strict=True))
    for row in rows:
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    labels = np.array([-1 if out else numbers[label] for _, label, out, _ in rows], dtype=np.int64)
    contaminated = np.array([LEAK in (flags or ()) for *_, flags in rows], dtype=bool)
    return Utterances([text for text, *_ in rows], labels, contaminated)
