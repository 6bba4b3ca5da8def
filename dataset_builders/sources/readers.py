"""Raw bytes -> records, with error messages that name the file and the line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import orjson
import yaml
from datasets.exceptions import DatasetGenerationError

from dataset_builders.common.errors import DataError
from dataset_builders.common.reading import text_lines
from dataset_builders.sources.raw_files import RawFile

_BLANKS = re.compile(r"[ \t\n\r]*")


class RawDataError(DataError, DatasetGenerationError):
    """A raw file is broken. Subclass of `DatasetGenerationError`, so that `datasets` passes it on unchanged."""


def read_json(file: RawFile) -> Any:
    """Read a JSON file.

    Raises:
        RawDataError: The content is not valid JSON.
    """
    return parse_json(file.read(), file)


def parse_json(content: bytes, file: RawFile) -> Any:
    """Parse the content of a JSON file, as `read_json` does; `file` is for the error message."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        problem = f"line {error.lineno}: not valid JSON ({error.msg})"
        raise RawDataError(f"{file}: {problem}; the file is cut off or changed, fetch it again") from error


def read_json_members(file: RawFile) -> Iterator[tuple[str, Any]]:
    """Read the members of the object in a JSON file one after the other: together, they take ten times its size.

    Raises:
        RawDataError: The content is not valid JSON, or not an object.
    """
    text, decode = file.read().decode(), json.JSONDecoder().raw_decode
    try:
        _, at = _next(text, 0, "{")
        mark, at = _next(text, at, '"}')
        while mark == '"':
            key, at = decode(text, at - 1)
            _, at = _next(text, at, ":")
            value, at = decode(text, _skip_blanks(text, at))
            yield key, value
            mark, at = _next(text, at, ",}")
            if mark == ",":
                mark, at = _next(text, at, '"')
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}: not valid JSON ({error.msg})"
        raise RawDataError(f"{file}: {problem}; the file is cut off or changed, fetch it again") from error


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def _next(text: str, at: int, expected: str) -> tuple[str, int]:
    """The next character, which has to be one of these, and the place after it."""
    at = _skip_blanks(text, at)
    if at == len(text) or text[at] not in expected:
        raise json.JSONDecodeError(f"expected {' or '.join(expected)}", text, at)
    return text[at], at + 1


def read_json_lines(file: RawFile) -> Iterator[Any]:
    """Read a file with one JSON value per line, skipping empty lines.

    Raises:
        RawDataError: A line is not valid JSON.
    """
    for number, line in enumerate(file.read().split(b"\n"), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                problem = f"line {number}: not valid JSON ({error.msg})"
                raise RawDataError(f"{file}: {problem}; the file is cut off or changed, fetch it again") from error


def read_yaml(file: RawFile) -> Any:
    """Read a YAML file with all scalars as strings, so that a sentence such as `yes` remains one.

    Raises:
        RawDataError: The content is not valid YAML.
    """
    try:
        return yaml.load(file.read(), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise RawDataError(f"{file}: not valid YAML ({problem}); fetch the file again") from error


def read_csv(file: RawFile, header: list[str], delimiter: str = ",", quoted: bool = True) -> Iterator[dict[str, str]]:
    """Read a CSV file; quoted texts may contain line breaks.

    Args:
        file: The CSV file.
        header: Expected column names, in order.
        delimiter: Character between two cells.
        quoted: Whether a quotation mark may enclose a cell; otherwise it is a character as any other.

    Raises:
        RawDataError: The header differs, a row has too few or too many cells, or quotes are unbalanced.
    """
    text = io.StringIO(file.read().decode("utf-8-sig"), newline="")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.DictReader(text, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        if reader.fieldnames != header:
            actual = ",".join(reader.fieldnames or [])
            raise RawDataError(f"{file}: line 1: expected the header {','.join(header)}, found {actual[:100]}")
        for row in reader:
            if None in row or None in row.values():
                raise RawDataError(f"{file}: line {reader.line_num}: expected {len(header)} cells")
            yield row
    except csv.Error as error:
        raise RawDataError(f"{file}: line {reader.line_num}: not valid CSV ({error}); fetch the file again") from error


def marked_turns(text: str, mark: re.Pattern[str]) -> list[tuple[str, str]]:
    """Speaker and text of each turn of a dialogue that is one string, with the speaker at the start of each line.

    Args:
        text: The dialogue. A line without a mark continues the turn before it.
        mark: Beginning of a line; its first group is the speaker.

    Returns:
        The turns in order; the speaker is empty for lines before the first mark.
    """
    turns: list[tuple[str, str]] = []
    for line in text_lines(text):
        if match := mark.match(line):
            turns.append((match[1], line[match.end() :].strip()))
        elif turns:
            speaker, before = turns.pop()
            turns.append((speaker, f"{before}\n{line.strip()}".strip()))
        elif line.strip():
            turns.append(("", line.strip()))
    return turns
