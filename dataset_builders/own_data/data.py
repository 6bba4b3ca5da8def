"""`load`: the own data at a path, as a stream of dialogues, labelled utterances and rejected records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.languages import check_language
from dataset_builders.common.options import keywords_of
from dataset_builders.own_data.containers.hub import find
from dataset_builders.own_data.containers.inputs import find_all, sort_out
from dataset_builders.own_data.formats.registry import all_formats
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.own_file import OwnFile
from dataset_builders.own_data.plain.detect import PLAIN_FORMS
from dataset_builders.own_data.reading import Event, read_rows
from dataset_builders.own_data.recognise import open_all
from dataset_builders.own_data.rejects import Rejected, Tally, check_share, rejects_file
from dataset_builders.own_data.split_names import split_of
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
            for event in read_rows(own, tally):
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


@keywords_of(Options)
def load(
    path: str | Path,
    name: str | None = None,
    language: str = "und",
    *,
    max_bad_share: float = 0.1,
    skip_bad_files: bool = False,
    rejects: str | Path | None = None,
    **options: Any,
) -> OwnData:
    """Own data in a file or a folder; `.gz`, `.zip` and other archives are unpacked on the fly.

    Reads the exports of chat programs, support desks, assistants and intent tools (`dialogue-cube formats` lists them),
    and pairs, dialogues and labelled utterances in JSON, JSONL, CSV, TSV, TXT, parquet and spreadsheets. Detects
    format, delimiter, columns and encoding. What is not evident is refused with the option that settles it.

    Args:
        path: A file, a folder, or a dataset on the Hub: `hf://datasets/ORG/NAME` or `ORG/NAME`. Files and folders
            named after `train`, `validation` or `test` make those splits.
        name: Name of the source, the first part of every id; None takes the file name.
        language: BCP 47 tag of the rows that name no language; `und` means undetermined.
        max_bad_share: Maximum share of bad records, 0 to 1. Reading also fails without any good record.
        skip_bad_files: Whether a file that cannot be read is skipped and named, instead of being an error.
        rejects: File for the rejected records, JSON lines of `file, line, record, reason, text`.
        options: Fields of `own_data.options.Options`: format, columns, speakers, pauses, encoding.

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
    settings = Options(**options)
    check_format(settings.format)
    dataset = find(str(path))
    path = Path(path)
    if dataset is None:
        files, splits = find_all(path, skip_bad_files), split_of
    else:
        places = [(file, place) for file, place, _ in dataset.files]
        files, splits = sort_out(str(path), places, skip_bad_files), dataset.split
    opened, unread = open_all(files.data, files.others, settings, skip_bad_files)
    skipped = [*files.skipped, *unread, *(dataset.skipped if dataset else [])]
    if len(opened) == 1 and not opened[0].is_intents:
        opened = [replace(opened[0], is_single=_is_single(opened[0]))]
    if not opened:
        raise DataError(f"{path}: none of its files can be read: {'; '.join(map(str, skipped[:3]))}")
    return OwnData(
        path=path,
        name=_source_name(Path(dataset.repo) if dataset else path, name),
        language=language,
        files=[replace(own, split=split) for own, split in zip(opened, _splits(opened, splits), strict=True)],
        skipped=sorted(skipped, key=lambda s: s.file),
        max_bad_share=max_bad_share,
        rejects=Path(rejects) if rejects is not None else None,
    )


def _is_single(own: OwnFile) -> bool:
    """Whether a file holds a single dialogue and names no split, so that the dialogue itself has to be split."""
    dialogues = (event for event in read_rows(own, Tally()) if isinstance(event, Dialogue))
    first = list(islice(dialogues, 2))
    return len(first) == 1 and first[0].split == ALL and split_of(own.file.name) == ALL


def check_format(name: str | None) -> None:
    """Check the name of a format.

    Raises:
        DataError: There is no such format.
    """
    names = [*PLAIN_FORMS, *(f.name for f in all_formats())]
    if name is not None and name not in names:
        raise DataError(f"no format {name!r}; expected one of {', '.join(sorted(names))}")


def _splits(files: list[OwnFile], split_of: Callable[[str], str]) -> list[str]:
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
