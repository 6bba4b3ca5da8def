"""`load`: the own data at a path, as a stream of dialogues, labelled utterances and rejected records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataset_builders.common.errors import DataError
from dataset_builders.common.languages import check_language
from dataset_builders.own_data.inputs import find_files
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.own_file import Event, OwnFile, open_own, split_of
from dataset_builders.own_data.rejects import Rejected, Tally, check_share, rejects_file
from dataset_builders.schema import ALL, Dialogue, Utterance

KEPT_REJECTS = 10_000
"""Maximum number of records in `OwnData.rejected`; the rejects file has them all."""

_NAME = re.compile(r"[^\W_](?:[\w.-]{0,62}\w)?")


@dataclass
class OwnData:
    """Own data in recognised files, read lazily.

    Iterating yields `Dialogue`, `Utterance` and `Rejected` objects, file by file in the order of their names, and
    reads the files anew each time. Memory is bounded by the largest record, in an interleaved table by its unfinished
    dialogues.

    Args:
        path: Path of the file or folder.
        name: Name of the source.
        language: BCP 47 tag of the rows that name no language.
        files: Files to read, sorted by name.
        skipped: Files of the folder that hold no data.
        max_bad_share: Maximum share of bad records, 0 to 1; checked at the end of an iteration.
        rejects: File to which each complete iteration writes the rejected records.

    Attributes:
        rejected: The skipped files and the first `KEPT_REJECTS` rejected records of the last iteration.
        counts: Counts of the last iteration, by file.

    Raises:
        DataError: While iterating: a file is damaged, or too many records are bad.
    """

    path: Path
    name: str
    language: str
    files: list[OwnFile]
    skipped: list[Rejected]
    max_bad_share: float
    rejects: Path | None = None
    rejected: list[Rejected] = field(default_factory=list)
    counts: dict[str, Tally] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Event]:
        self.rejected, self.counts = list(self.skipped), {}
        if self.rejects is None:
            yield from self._events()
            return
        with rejects_file(self.rejects) as add:
            for event in self._events():
                if isinstance(event, Rejected):
                    add(event)
                yield event

    def _events(self) -> Iterator[Event]:
        yield from self.skipped
        first: list[Rejected] = []
        for own in self.files:
            tally = self.counts[own.file.name] = Tally()
            for event in own.read(tally):
                if isinstance(event, Rejected):
                    first = first if len(first) >= 3 else [*first, event]
                    if len(self.rejected) < KEPT_REJECTS:
                        self.rejected.append(event)
                yield event
        check_share(self.path, self.total, first, self.max_bad_share)

    @property
    def total(self) -> Tally:
        """The counts of all files together."""
        return sum(self.counts.values(), Tally())

    @property
    def dialogues(self) -> Iterator[Dialogue]:
        """The dialogues; reads the files."""
        return (event for event in self if isinstance(event, Dialogue))

    @property
    def utterances(self) -> Iterator[Utterance]:
        """The labelled utterances; reads the files."""
        return (event for event in self if isinstance(event, Utterance))


def load(
    path: str | Path,
    name: str | None = None,
    language: str = "und",
    *,
    question_column: str | None = None,
    answer_column: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str | None = None,
    max_bad_share: float = 0.1,
    rejects: str | Path | None = None,
) -> OwnData:
    """Own data in a file or a folder; `.gz` and `.zip` files are unpacked on the fly.

    Reads question/answer pairs and dialogues in JSON, JSONL, CSV, TSV and TXT (including OpenAI `messages`, ShareGPT
    `conversations` and alpaca) and labelled utterances. Detects form, delimiter, columns and encoding.

    Args:
        path: A file or a folder. Files named `train`, `validation` or `test` in a folder make those splits.
        name: Name of the source, the first part of every id; None takes the file name.
        language: BCP 47 tag of the rows that name no language; `und` means undetermined.
        question_column: Column or JSON key of the question, if it cannot be recognised; in a table without a header,
            its number, from 1.
        answer_column: The same for the answer.
        text_column: Column or JSON key of a labelled utterance.
        label_column: Column or JSON key of its label.
        encoding: Text encoding; None detects it.
        max_bad_share: Maximum share of bad records, 0 to 1. Reading also fails without any good record.
        rejects: File for the rejected records, JSON lines of `file, line, record, reason, text`.

    Raises:
        DataError: The path holds no usable data, or an option is wrong; while iterating, see `OwnData`.

    Example:
        >>> data = load("support.csv", language="ru")           # doctest: +SKIP
        >>> for dialogue in data.dialogues: ...                 # doctest: +SKIP
        >>> data.rejected, data.counts                          # doctest: +SKIP
    """
    if not 0 <= max_bad_share <= 1:
        raise DataError(f"max_bad_share is {max_bad_share}; expected a share from 0 to 1")
    check_language(language)
    options = Options(question_column, answer_column, text_column, label_column, encoding)
    path = Path(path)
    files, skipped = find_files(path)
    opened = [open_own(file, options) for file in files]
    return OwnData(
        path=path,
        name=_source_name(path, name),
        language=language,
        files=[replace(own, split=split) for own, split in zip(opened, _splits(opened), strict=True)],
        skipped=skipped,
        max_bad_share=max_bad_share,
        rejects=Path(rejects) if rejects is not None else None,
    )


def _splits(files: list[OwnFile]) -> list[str]:
    """The split of each file.

    If one is named after validation or test, the other files are for training; if none is, `build` splits all rows.
    """
    named = [split_of(own.file.name) for own in files]
    if set(named) <= {ALL, "train"}:
        return [ALL] * len(files)
    return ["train" if split == ALL else split for split in named]


def _source_name(path: Path, name: str | None) -> str:
    if name is None:
        stem = path.resolve().name.split(".")[0] or path.resolve().name
        name = re.sub(r"[^\w.-]+", "-", stem).strip("-._")[:64].rstrip("-._") or "own"
    if not _NAME.fullmatch(name):
        raise DataError(f"{name!r} cannot name a source; use at most 64 letters, digits, dots, hyphens and underscores")
    return name
