"""Intent sets of the `downstream` config: training and test utterances of one corpus in one language.

>>> from cube_model.evaluation.intents.task import load_intents
>>> [task.name for task in load_intents("my-corpus", ["banking77"])]  # a folder or a Hub repository
['banking77 (en)']
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import read_rows
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

LABELS = ("intent", "scenario")
"""What is predicted: the intent, or the coarser class of it where the corpus names one (MASSIVE's scenario, CLINC150's
domain)."""

LEAK = "leak:text"
"""Flag of a row whose text stands in another official split too."""

_COLUMNS = ("source", "utterance", "label", "scenario", "is_out_of_scope", "language", "flags")


@dataclass(frozen=True)
class Utterances:
    """n texts.

    Attributes:
        texts: n strings.
        labels: int64 `[n]`, indices in `IntentTask.classes`; -1: out of scope.
        contaminated: bool `[n]`: the text stands in an official training split too.
    """

    texts: list[str]
    labels: np.ndarray
    contaminated: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, rows: np.ndarray) -> Utterances:
        """The rows at `rows` (bool `[n]` or int)."""
        kept = np.arange(len(self))[rows]
        return Utterances([self.texts[i] for i in kept], self.labels[kept], self.contaminated[kept])


@dataclass(frozen=True)
class IntentTask:
    """One classification task.

    Attributes:
        source: The corpus.
        language: BCP 47 tag.
        predicts: One of `LABELS`.
        classes: Names of the classes, sorted.
        train: Training utterances of the classes, in the order of the dataset.
        test: Likewise.
        outside: Test utterances that belong to no class; there may be none.
        fingerprint: sha256 over all rows: equal for equal data.
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
        """`"massive (en-US)"`, `"massive (en-US), scenario"`."""
        return f"{self.source} ({self.language})" + (f", {self.predicts}" if self.predicts != LABELS[0] else "")


def load_intents(
    data: str | os.PathLike[str],
    sources: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    predicts: Sequence[str] = LABELS,
    *,
    revision: str | None = None,
) -> list[IntentTask]:
    """The tasks of a dataset: one a source, language and kind of label.

    Args:
        data: A folder that `dialogue-cube build` made, or a Hub dataset repository.
        sources: Corpora; all when not given.
        languages: BCP 47 tags, `"en"` also meaning `"en-US"`; all when not given.
        predicts: Kinds of label. A source without scenarios gives no task for them.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        ModelError: No such dataset, source or language; a task lacks training or test rows, or labels.
    """
    if unknown := sorted(set(predicts) - set(LABELS)):
        raise ModelError(f"no kind of label {', '.join(unknown)}; there are {', '.join(LABELS)}")
    train, test = (_Split(data, split, revision) for split in ("train", "test"))
    there = list(dict.fromkeys([*test.sources, *train.sources]))
    if missing := sorted(set(sources or ()) - set(there)):
        raise ModelError(f"{data}: no intents of {', '.join(missing)}; there are those of {', '.join(there)}")
    chosen = [
        (source, language)
        for source, language in dict.fromkeys([*test.keys, *train.keys])
        if (sources is None or source in sources) and (languages is None or _matches(language, languages))
    ]
    if not chosen:
        known = ", ".join(sorted({language for _, language in [*test.keys, *train.keys]}))
        raise ModelError(f"{data}: no intents in {', '.join(languages or ())}; there are {known}")
    return [
        task
        for source, language in chosen
        for kind in LABELS
        if kind in predicts and (task := _task(data, source, language, kind, train, test)) is not None
    ]


class _Split:
    """The rows of one split, by source and language."""

    def __init__(self, data: str | os.PathLike[str], name: str, revision: str | None) -> None:
        self.name = name
        self.table = read_rows(
            data, "downstream", name, _COLUMNS, revision=revision, advice=" with an intent set, such as banking77,"
        )
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

    def of(self, source: str, language: str) -> pa.Table:
        return self.table.take(np.array(self.rows.get((source, language), ()), dtype=np.int64))


def _task(
    data: str | os.PathLike[str], source: str, language: str, kind: str, train: _Split, test: _Split
) -> IntentTask | None:
    """The task; None where the source does not have this kind of label."""
    column = "label" if kind == LABELS[0] else kind
    tables = {split.name: split.of(source, language) for split in (train, test)}
    for name, table in tables.items():
        labels, outside = table[column].to_pylist(), table["is_out_of_scope"].to_pylist()
        inside = [label for label, out in zip(labels, outside, strict=True) if not out]
        if kind != LABELS[0] and not any(inside):
            return None
        if not inside:
            raise ModelError(
                f"{data}: {source} ({language}) has no rows in split {name}; intents are learned from train and "
                "judged on test: give it both, or leave it out with --sources and --language"
            )
        if not all(inside):
            raise ModelError(f"{data}: {source} ({language}) has rows without {kind} in split {name}; label them")
    classes = sorted({label for table in tables.values() for label in _inside(table, column)})
    if len(classes) < 2:
        raise ModelError(f"{data}: {source} ({language}) has a single {kind}, {classes[0]}; expected two or more")
    digest = hashlib.sha256(f"{source}\0{language}\0{kind}".encode())
    numbers = {label: number for number, label in enumerate(classes)}
    parts = {name: _utterances(table, column, numbers, digest) for name, table in tables.items()}
    inside_of = {name: part.select(part.labels >= 0) for name, part in parts.items()}
    return IntentTask(
        source,
        language,
        kind,
        classes,
        inside_of["train"],
        inside_of["test"],
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


def _matches(language: str, wanted: Sequence[str]) -> bool:
    return any(language.lower() == tag.lower() or language.lower().startswith(f"{tag.lower()}-") for tag in wanted)
