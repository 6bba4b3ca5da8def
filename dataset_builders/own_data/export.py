"""The files of one export, as its format reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, BinaryIO, TextIO

import orjson

from dataset_builders.own_data.containers.inputs import open_bytes
from dataset_builders.own_data.containers.rows import Rows
from dataset_builders.own_data.containers.text_encoding import open_text
from dataset_builders.own_data.messages import BadItem
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain.json_records import Broken, items_below, read_lines
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.sources.raw_files import RawFile

_LONGEST_LINE = 1 << 23
"""Number of characters after which a line is no longer taken for one of JSON Lines."""


@dataclass(frozen=True)
class Export:
    """The files that belong together, and the options of the user.

    Args:
        file: The file that was recognised.
        companions: Files that are read together with it, sorted by name.
        encoding: Text encoding of the file.
        options: Options of the user.
        rows: Rows of a file that is a table by its type, such as parquet; None for text.
    """

    file: RawFile
    companions: Sequence[RawFile]
    encoding: str
    options: Options
    rows: Rows | None = None

    def bytes(self, file: RawFile | None = None) -> BinaryIO:
        """Open the file, or a companion, as unpacked bytes."""
        return open_bytes(file or self.file)

    def text(self, file: RawFile | None = None) -> TextIOWrapper:
        r"""Open the file, or a companion, as text; lines end with `\n`."""
        return open_text(file or self.file, self.encoding)

    def lines(self, file: RawFile | None = None) -> Iterator[tuple[int, str]]:
        """The lines of the file with their numbers, from 1, without their ends and a byte order mark."""
        with self.text(file) as stream:
            for number, line in enumerate(stream, start=1):
                yield number, line.rstrip("\r\n").lstrip("\ufeff") if number == 1 else line.rstrip("\r\n")

    def json(self, file: RawFile | None = None) -> Any:
        """The JSON value of the whole file. Prefer `items` for files that may be large.

        Raises:
            BadRecord: It is not valid JSON.
        """
        with self.text(file) as stream:
            content = stream.read().removeprefix("\ufeff")
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
        try:  # only the standard library accepts NaN and bytes that are not text, which affect a single record
            return json.loads(content)
        except json.JSONDecodeError as error:
            raise BadRecord(f"line {error.lineno}: not valid JSON ({error.msg})") from error
        except RecursionError as error:
            raise BadRecord("JSON that is nested too deeply") from error

    def items(self, *path: str) -> Iterator[tuple[int, Any]]:
        """The elements of a JSON list, one at a time, each with its line, so that the file need not fit in memory.

        Args:
            path: Keys from the outermost object to the list; none if the file is the list. Other values are skipped.
                The path goes through every element of a list on the way.

        Raises:
            DataError: The file is not valid JSON; the message names the line.

        Example:
            >>> for line, message in export.items("chats", "list", "messages"): ...   # doctest: +SKIP
        """
        return items_below(self.file, self.encoding, path)

    def records(self, key: str) -> Iterator[tuple[int, Any]]:
        """The records of an export that is saved in any of the usual ways, one at a time, each with its line.

        These are JSON Lines, a list, an object that holds the list (a page of an API's answer), a list or lines of
        such objects, and a single record.

        Args:
            key: Key of the list in an object: `tickets`.

        Raises:
            DataError: The file is not valid JSON.

        Yields:
            Line, and the record; a `Broken` for a line that is not valid JSON.
        """
        if self._is_json_lines():
            for line, value in read_lines(self.file, self.encoding):
                yield from _below(line, value, key)
            return
        if self._first_character() == "[":
            for line, value in self.items():
                yield from _below(line, value, key)
            return
        is_page = False
        for line, value in self.items(key):
            is_page = True
            yield line, value
        if not is_page:
            yield 1, self.json()

    def _first_character(self) -> str:
        with self.text() as stream:
            return _first_filled(stream)

    def _is_json_lines(self) -> bool:
        """Whether the first line is a JSON object, and another line follows it."""
        with self.text() as stream:
            first = _first_filled(stream)
            if not first.startswith("{"):
                return False
            first += stream.readline(_LONGEST_LINE)  # a document without line ends is not read into memory
            if not first.endswith("\n") or not _first_filled(stream):
                return False
        try:
            return isinstance(orjson.loads(first), dict)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            return False


def _first_filled(stream: TextIO) -> str:
    """The first character that is not blank; empty at the end of the text."""
    while character := stream.read(1):
        if not character.isspace() and character != "\ufeff":
            return character
    return ""


def bad_item(expected: str, value: Any, line: int | None = None) -> BadItem:
    """The `BadItem` for a record that is not as a format says; a `Broken` one gives its own reason.

    Args:
        expected: What the record must be: "a ticket with `comments`".
        value: The record.
        line: Its line.
    """
    if isinstance(value, Broken):
        return BadItem(value.reason, value.text, line)
    return BadItem(f"expected {expected}", value, line)


def _below(line: int, value: Any, key: str) -> Iterator[tuple[int, Any]]:
    elements = value.get(key) if isinstance(value, dict) else None
    yield from ((line, element) for element in elements) if isinstance(elements, list) else [(line, value)]
