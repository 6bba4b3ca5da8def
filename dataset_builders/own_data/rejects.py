"""Rejected records, with place and reason, and the limit on their share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dataset_builders.common.errors import DataError
from dataset_builders.common.file_kinds import json_kind
from dataset_builders.common.outputs import output_file

SHOWN_CHARACTERS = 200
"""Number of characters of a rejected record to show, enough to recognise it."""

SHOWN_REASONS = 3

_REJECTS = json_kind("rejected records", "file", "line", "record", "reason", "text")


class BadRecord(Exception):  # noqa: N818  a reason, not a failure
    """A record cannot be used; the message is the reason, one clause."""


LONGEST_TEXT = 1_000_000
"""Maximum number of characters of a text, as of a long novel: the filters take fifty times its size in memory."""


def check_length(text: str) -> None:
    """Refuse a text that is no turn of a dialogue.

    Raises:
        BadRecord: It is longer than `LONGEST_TEXT`.
    """
    if len(text) > LONGEST_TEXT:
        raise BadRecord(f"a text of {len(text):,} characters; at most {LONGEST_TEXT:,} are read")


class NotEvident(BadRecord):
    """What a file holds is not evident; the message names the option that settles it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be used, or a skipped file.

    Args:
        file: Its file, relative to the loaded folder; a member of an archive is `archive.zip/member`.
        line: The line it begins on, from 1; None for a skipped file.
        record: Its number in the file, from 1; None for a skipped file.
        reason: The reason, one clause.
        text: The beginning of the record.
    """

    file: str
    line: int | None
    record: int | None
    reason: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {f'line {self.line}: ' if self.line else ''}{self.reason}"


@dataclass(slots=True)
class Tally:
    """Counts of one file, or of all files.

    Attributes:
        records: Number of records, good and bad; of rows if a dialogue spans several rows.
        rejected: Number of bad records.
        dialogues: Number of dialogues yielded.
        utterances: Number of labelled utterances yielded.
        left_out: Number of messages left out by kind (`media`, `notices`, `tools`, `prompts`), of texts that were
            `html`, and of `names` of participants replaced by roles.
    """

    records: int = 0
    rejected: int = 0
    dialogues: int = 0
    utterances: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.left_out = Counter(self.left_out)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.records + other.records,
            self.rejected + other.rejected,
            self.dialogues + other.dialogues,
            self.utterances + other.utterances,
            self.left_out + other.left_out,
        )


def check_share(path: Path, tally: Tally, first: Iterable[Rejected], max_bad_share: float) -> None:
    """Raise an error if too many records are bad.

    Args:
        path: Path of the data, for the message.
        tally: Counts of all files together.
        first: The first rejected records, for the message.
        max_bad_share: Maximum share of bad records, 0 to 1.

    Raises:
        DataError: The share is larger, or no record is good.
    """
    good = tally.dialogues + tally.utterances
    if good and tally.rejected <= max_bad_share * tally.records:
        return
    if not tally.records:
        raise DataError(f"{path}: it holds no records")
    reasons = "; ".join(str(r) for r in list(first)[:SHOWN_REASONS])
    limit = f" (more than {max_bad_share:.0%})" if good else ""
    advice = "repair them, or allow more with max_bad_share (--max-bad-share)" if good else "nothing is left"
    raise DataError(
        f"{path}: {tally.rejected:,} of {tally.records:,} records cannot be used{limit}: {reasons}; {advice}"
    )


def shorten(record: Any) -> str:
    """The beginning of a record as one line of valid Unicode."""
    if isinstance(record, bytes):
        text = record[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace")
    elif isinstance(record, str):
        text = record
    else:
        try:
            text = orjson.dumps(record).decode()
        except TypeError:  # lone surrogates, very large integers or very deep nesting
            text = str(record)[: 10 * SHOWN_CHARACTERS] if not isinstance(record, list | dict) else _keys(record)
    return one_line(text[: 2 * SHOWN_CHARACTERS])[:SHOWN_CHARACTERS]


def one_line(text: str) -> str:
    """A text without line breaks and lone surrogates."""
    return " ".join(text.split()).encode("utf-8", "replace").decode("utf-8")


def _keys(record: list[Any] | dict[Any, Any]) -> str:
    parts = record.items() if isinstance(record, dict) else enumerate(record)
    return ", ".join(f"{k}: {v}" if isinstance(v, str) else f"{k}: ..." for k, v in list(parts)[:10])


@contextmanager
def rejects_file(path: Path) -> Iterator[Callable[[Rejected], object]]:
    """Write a JSON Lines file atomically; keep it even if reading fails because too many records are bad.

    Yields:
        Function that adds a rejected record.

    Raises:
        DataError: The file cannot be written.
    """
    stopped: DataError | None = None
    try:
        with output_file(path, _REJECTS) as aside, aside.open("wb") as out:
            try:
                yield lambda entry: out.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
            except DataError as error:
                stopped = error
    except OSError as error:
        raise DataError(f"{path}: cannot write the rejected records ({error.strerror})") from error
    if stopped:
        raise stopped


def write_rejects(path: str | Path, rejected: Iterable[Rejected]) -> int:
    """Write rejected records as JSON Lines; the file may be empty.

    Returns:
        The number of records.
    """
    count = 0
    with rejects_file(Path(path)) as add:
        for entry in rejected:
            add(entry)
            count += 1
    return count


def read_rejects(path: Path) -> Iterator[Rejected]:
    """The rejected records in a file from `rejects_file`."""
    with path.open("rb") as lines:
        for line in lines:
            yield Rejected(**orjson.loads(line))
