"""What could not be read: one record at a time, with its place and the reason, and when that is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import JSON_FILE, output_file

SHOWN_CHARACTERS = 200
"""Of a rejected record, enough to find it again by eye."""

SHOWN_REASONS = 3


class BadRecord(Exception):  # noqa: N818  a reason, not a failure
    """One record cannot be used; the message is the reason, one clause."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was left out.

    Args:
        file: Its file, relative to the given folder; a member of an archive as `archive.zip/member`.
        line: The line it begins on, from 1; None where the whole file was left out.
        record: Its number in the file, from 1; None likewise.
        reason: One clause.
        text: How the record begins.
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
    """What one file, or all, gave.

    Attributes:
        records: Records read, good and bad; rows where dialogues are spread over rows.
        rejected: Those left out.
        dialogues: Dialogues yielded.
        utterances: Labelled utterances yielded.
    """

    records: int = 0
    rejected: int = 0
    dialogues: int = 0
    utterances: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


def check_share(path: Path, tally: Tally, first: Iterable[Rejected], max_bad_share: float) -> None:
    """Stop when too little could be read.

    Args:
        path: What the user gave, for the message.
        tally: Sums over all files.
        first: The first rejected records.
        max_bad_share: Largest share of bad records that is let pass, 0 to 1.

    Raises:
        DataError: More than that, or not one good record.
    """
    good = tally.dialogues + tally.utterances
    if good and tally.rejected <= max_bad_share * tally.records:
        return
    if not tally.records:
        raise DataError(f"{path}: there is no record in it")
    reasons = "; ".join(str(r) for r in list(first)[:SHOWN_REASONS])
    limit = f" (more than {max_bad_share:.0%})" if good else ""
    cure = "repair them, or allow more with max_bad_share (--max-bad-share)" if good else "nothing is left"
    raise DataError(f"{path}: {tally.rejected:,} of {tally.records:,} records cannot be used{limit}: {reasons}; {cure}")


def shorten(record: Any) -> str:
    """How a record begins, as one line that any encoding can hold."""
    if isinstance(record, bytes):
        text = record[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace")
    elif isinstance(record, str):
        text = record
    else:
        try:
            text = orjson.dumps(record).decode()
        except TypeError:  # lone surrogates, very large integers, or nested very deeply
            text = str(record)[: 10 * SHOWN_CHARACTERS] if not isinstance(record, list | dict) else _keys(record)
    return one_line(text[: 2 * SHOWN_CHARACTERS])[:SHOWN_CHARACTERS]


def one_line(text: str) -> str:
    """A text without line breaks and without what no encoding can hold."""
    return " ".join(text.split()).encode("utf-8", "replace").decode("utf-8")


def _keys(record: list[Any] | dict[Any, Any]) -> str:
    parts = record.items() if isinstance(record, dict) else enumerate(record)
    return ", ".join(f"{k}: {v}" if isinstance(v, str) else f"{k}: ..." for k, v in list(parts)[:10])


@contextmanager
def rejects_file(path: Path) -> Iterator[Callable[[Rejected], object]]:
    """A file of JSON lines that appears when it is whole, also when reading then stops for too many bad records.

    Yields:
        What adds an entry.
    """
    stopped: DataError | None = None
    try:
        with output_file(path, JSON_FILE) as aside, aside.open("wb") as out:
            try:
                yield lambda entry: out.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
            except DataError as error:
                stopped = error
    except OSError as error:
        raise DataError(f"{path}: rejected records cannot be written there ({error.strerror})") from error
    if stopped:
        raise stopped


def write_rejects(path: str | Path, rejected: Iterable[Rejected]) -> int:
    """Write rejected records as JSON lines, also when there are none.

    Returns:
        How many there were.
    """
    count = 0
    with rejects_file(Path(path)) as add:
        for count, entry in enumerate(rejected, start=1):  # noqa: B007  the last one is returned
            add(entry)
    return count


def read_rejects(path: Path) -> Iterator[Rejected]:
    """The entries of a file of `write_rejects`."""
    with path.open("rb") as lines:
        for line in lines:
            yield Rejected(**orjson.loads(line))
