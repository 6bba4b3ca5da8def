"""`load`: own data of a path as a stream of dialogues, labelled utterances and rejected records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.inputs import find_files
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.own_file import Event, OwnFile, open_own, split_of
from dataset_builders.own_data.rejects import Rejected, Tally, check_share, rejects_file
from dataset_builders.schema import ALL, Dialogue, Utterance

KEPT_REJECTS = 10_000
"""So many are kept in `OwnData.rejected`; the rejects file has them all."""

_NAME = re.compile(r"[^\W_](?:[\w.-]{0,62}\w)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass
class OwnData:
    """Own data whose files were found and understood; their records are read while one iterates.

    Iterating gives `Dialogue`, `Utterance` and `Rejected` objects, in the order of the file names and then of each
    file. Memory is bounded by the largest record (an interleaved table: by its unfinished dialogues). Every iteration
    reads the files again.

    Args:
        path: What was loaded.
        name: Of the source.
        language: BCP 47 tag of the rows that state none.
        files: What is read, sorted by name.
        skipped: Files of the folder that are no data.
        max_bad_share: More bad records than this share stop the reading at its end.
        rejects: Where each whole reading writes the rejected records.

    Attributes:
        rejected: Those of the last iteration, the first `KEPT_REJECTS`, after the skipped files.
        counts: What each file gave in the last iteration.

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
        """The dialogues, read anew."""
        return (event for event in self if isinstance(event, Dialogue))

    @property
    def utterances(self) -> Iterator[Utterance]:
        """The labelled utterances, read anew."""
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
    """Own data of a file or a folder of files; `.gz` and `.zip` are read as if unpacked.

    Question/answer pairs and dialogues in JSON, JSONL, CSV, TSV and TXT (among them OpenAI `messages`, ShareGPT
    `conversations`, alpaca), and utterances with labels. Form, delimiter, columns and encoding are detected.

    Args:
        path: A file or a folder. Of a folder, files called `train`, `validation` or `test` keep those splits.
        name: Of the source, the first part of every id; the path's own name when not given.
        language: BCP 47 tag of the rows that state none; `und` is "undetermined".
        question_column: Column or JSON key of the question, where its name is not a known one; a number, from 1, for
            a table without a header.
        answer_column: Of the answer.
        text_column: Of the utterance of own intents.
        label_column: Of its label.
        encoding: Instead of detecting it.
        max_bad_share: More bad records than this share, or not one good record, stop the reading.
        rejects: File for the rejected records, JSON lines of `file, line, record, reason, text`.

    Raises:
        DataError: Nothing usable is there, or an option is wrong; while iterating, see `OwnData`.

    Example:
        >>> data = load("support.csv", language="ru")           # doctest: +SKIP
        >>> for dialogue in data.dialogues: ...                 # doctest: +SKIP
        >>> data.rejected, data.counts                          # doctest: +SKIP
    """
    if not 0 <= max_bad_share <= 1:
        raise DataError(f"max_bad_share is {max_bad_share}; it is a share from 0 to 1")
    if not _LANGUAGE.fullmatch(language):
        raise DataError(f"{language!r} is not a language tag; for example en, ru, pt-BR, or und")
    options = Options(question_column, answer_column, text_column, label_column, encoding)
    place = Path(path)
    files, skipped = find_files(place)
    opened = [open_own(file, options) for file in files]
    return OwnData(
        path=place,
        name=_source_name(place, name),
        language=language,
        files=[replace(own, split=split) for own, split in zip(opened, _splits(opened), strict=True)],
        skipped=skipped,
        max_bad_share=max_bad_share,
        rejects=Path(rejects) if rejects is not None else None,
    )


def _splits(files: list[OwnFile]) -> list[str]:
    """The split of each file.

    Where one is named after validation or test, the others are for training; else a seeded split is made of all.
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
        raise DataError(f"{name!r} cannot name a source; use up to 64 letters, digits, dots, hyphens and underscores")
    return name
