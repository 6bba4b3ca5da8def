"""Read JSON and JSON Lines as raw records, one at a time, each with the line that it begins on.

Lists are read element by element, so the largest record bounds the memory, not the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, TextIO

import orjson

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers.text_encoding import LONGEST_LINE, byte_lines, open_text
from dataset_builders.own_data.plain.names import TURNS, plain
from dataset_builders.own_data.rejects import shorten
from dataset_builders.sources.raw_files import RawFile

Raw = tuple[int, Any]
"""Line number, from 1, and the record; a `Broken` if it cannot be parsed."""

IsRecord = Callable[[dict[str, Any]], bool]

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(r"[ \t\r\n\ufeff\x1e]*")
_TOO_DEEP = "nested too deeply"
# Lists under these names are read element by element; lists under other names are read into memory.
_WRAPPERS = (
    "data dataset rows records examples items samples entries intents pairs faq qa questions dialogues dialogs chats "
    "threads train validation test данные записи примеры диалоги вопросы интенты пары"
)


class Broken:
    """A record that is not valid JSON or CSV.

    Args:
        reason: The reason, one clause.
        text: The record; its beginning is kept.
    """

    __slots__ = ("reason", "text")

    def __init__(self, reason: str, text: Any) -> None:
        self.reason, self.text = reason, shorten(text)


def read_lines(file: RawFile, encoding: str) -> Iterator[Raw]:
    """The values of a JSON Lines file; blank lines are skipped."""
    lines: Any = byte_lines(file) if encoding == "utf-8-sig" else open_text(file, encoding)  # bytes parse faster
    with closing(lines):
        for number, line in enumerate(lines, start=1):
            try:
                yield number, orjson.loads(line)
            except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
                bare = line.strip(b" \t\r\n" + _BOM) if isinstance(line, bytes) else line.strip(" \t\r\n\ufeff")
                if not bare:
                    continue
                yield number, _second_try(bare, error)


def _integer(digits: str) -> int | str:
    """An integer; its digits if Python refuses to convert that many, which takes time that grows with their square."""
    try:
        return int(digits)
    except ValueError:
        return digits


def _second_try(line: bytes | str, error: Exception) -> Any:
    """Parse a line with a stray byte order mark, or with NaN, which only the standard library accepts."""
    try:
        return json.loads(line, parse_int=_integer)
    except RecursionError:
        return Broken(_TOO_DEEP, line)
    except (ValueError, UnicodeError):
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "bytes that are not text"
        return Broken(f"not valid JSON ({reason})", line)


def read_document(file: RawFile, encoding: str, is_record: IsRecord) -> Iterator[Raw]:
    """The records of one JSON document, or of several in a row.

    The records are the elements of a list, the elements of a list of records inside an object, or the object itself.

    Args:
        file: The file.
        encoding: Its encoding.
        is_record: Whether an object has the keys of a record.

    Raises:
        DataError: The file is not valid JSON. The record after a fault cannot be located, so the whole file fails.
    """
    with open_text(file, encoding) as stream:
        cursor = _Cursor(stream, file)
        while cursor.peek():
            if cursor.peek() == "[":
                yield from cursor.elements()
            elif cursor.peek() == "{":
                yield from cursor.members(is_record)
            else:
                yield cursor.line, cursor.value()


def items_below(file: RawFile, encoding: str, path: Sequence[str]) -> Iterator[Raw]:
    """The elements of a list inside a JSON document, read one at a time.

    Args:
        file: The file.
        encoding: Its encoding.
        path: Keys from the outermost object to the list. The path goes through every element of a list on the way.

    Raises:
        DataError: The file is not valid JSON.
    """
    with open_text(file, encoding) as stream:
        yield from _Cursor(stream, file).below(path)


class _Cursor:
    """A position in a JSON text that is read in chunks."""

    def __init__(self, stream: TextIO, file: RawFile) -> None:
        self._stream, self._file = stream, file
        self._text, self._at, self._counted, self._ended = "", 0, 0, False
        self._line = 1
        self._decode = json.JSONDecoder(parse_int=_integer).raw_decode

    @property
    def line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]  # always matches
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        """Move past the next character, which has to be one of these."""
        character = self.peek()
        if not character or character not in expected:
            actual = repr(character) if character else "the end"
            raise self._error(f"expected {' or '.join(expected)}, found {actual}")
        self._at += 1
        return character

    def value(self) -> Any:
        """Parse the value that begins here."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
                length = end - self._at  # `_more` shifts the text
                if end < len(self._text) or not self._more():  # a number may continue in the next chunk
                    self._at += length
                    return value
            except json.JSONDecodeError as error:
                # reading on does not mend a fault well before the end of the text
                hopeless = len(self._text) - error.pos > 64 and not error.msg.startswith("Unterminated")
                length = error.pos - self._at
                if hopeless or not self._more():
                    self._at += length
                    raise self._error(error.msg) from error
            except RecursionError as error:
                raise self._error(_TOO_DEEP) from error

    def elements(self) -> Iterator[Raw]:
        """The elements of the list that begins here."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            self.peek()
            line = self.line
            yield line, self.value()
            if self.take(",]") == "]":
                return

    def members(self, is_record: IsRecord) -> Iterator[Raw]:
        """The elements of the lists of records in the object that begins here, or the object itself."""
        line, record, streamed = self.line, dict[str, Any](), False
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                self.take('"')
            key = self.value()
            self.take(":")
            if self.peek() == "[" and plain(key) in _WRAPPERS.split() and self._second() in "{[":
                streamed = True
                yield from self.elements()
            else:
                record[key] = self.value()
            if self.take(",}") == "}":
                break
        if streamed:
            return
        lists = {plain(key): value for key, value in record.items() if isinstance(value, list)}
        wrapped = [value for name, value in lists.items() if name in TURNS and _hold_turns(value)]
        if not wrapped and not is_record(record):
            wrapped = [value for value in lists.values() if value and isinstance(value[0], dict | list)]
        yield from ((line, element) for element in wrapped[0]) if wrapped else [(line, record)]

    def below(self, path: Sequence[str]) -> Iterator[Raw]:
        """The elements of the lists under a path of keys, from the value that begins here; other values are skipped."""
        start = self.peek()
        if start == "[" and not path:
            yield from self.elements()
        elif start == "[":
            self.take("[")
            while self.peek() != "]":
                yield from self.below(path)
                if self.peek() == ",":
                    self.take(",")
            self.take("]")
        elif start == "{" and path:
            self.take("{")
            while self.peek() != "}":
                if self.peek() != '"':
                    self.take('"')
                key = self.value()
                self.take(":")
                if key == path[0]:
                    yield from self.below(path[1:])
                else:
                    self.value()
                if self.peek() == ",":
                    self.take(",")
            self.take("}")
        else:
            self.value()

    def _second(self) -> str:
        """The first character inside the list that begins here; a blank at the end of the text."""
        place = self._at + 1
        while True:
            place = _BLANK.match(self._text, place).end()  # type: ignore[union-attr]
            if place < len(self._text):
                return self._text[place]
            place -= self._at
            if not self._more():
                return " "
            place += self._at

    def _more(self) -> bool:
        """Read the next chunk and drop the text before the cursor.

        Chunks grow with the record, so that long records take linear time.
        """
        if self._ended:
            return False
        rest = self._text[self._at :]
        _ = self.line
        if len(rest) > LONGEST_LINE:
            raise DataError(
                f"{self._file}: line {self.line}: a record of more than {LONGEST_LINE:,} characters; leave the "
                "file out, or write one record per line (JSONL)"
            )
        chunk = self._stream.read(max(_CHUNK, len(rest)))
        self._text, self._at, self._counted = rest + chunk, 0, 0
        self._ended = not chunk
        return bool(chunk)

    def _error(self, problem: str) -> DataError:
        advice = "repair it, or write one record per line (JSONL), where a fault affects only its record"
        return DataError(f"{self._file}: line {self.line}: not valid JSON ({problem}); {advice}")


def _hold_turns(values: list[Any]) -> bool:
    """Whether the elements of a list are whole dialogues rather than the turns of one."""
    first = values[0] if values else None
    if isinstance(first, list):
        return len(first) != 2 or not all(isinstance(v, str) for v in first)
    return isinstance(first, dict) and any(plain(k) in TURNS and isinstance(v, list) for k, v in first.items())
