"""Raw bytes -> records, with errors that name file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from datasets.exceptions import DatasetGenerationError

from dataset_builders.common.errors import DataError
from dataset_builders.sources.raw_files import RawFile


class RawDataError(DataError, DatasetGenerationError):
    """A raw file is broken. Also a `DatasetGenerationError`, so that `datasets` passes it on unchanged."""


def read_json(file: RawFile) -> Any:
    """The content of a JSON file.

    Raises:
        RawDataError: It is not whole, valid JSON; names the line.
    """
    return parse_json(file.read(), file)


def parse_json(content: bytes, file: RawFile) -> Any:
    """`read_json` of bytes already read."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        problem = f"line {error.lineno}: not valid JSON ({error.msg})"
        raise RawDataError(f"{file}: {problem}; the file is cut off or changed, fetch it again") from error


def read_json_lines(file: RawFile) -> Iterator[Any]:
    """The values of a file with one JSON value a line; empty lines are passed over.

    Raises:
        RawDataError: A line is not valid JSON; names it.
    """
    for number, line in enumerate(file.read().split(b"\n"), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                problem = f"line {number}: not valid JSON ({error.msg})"
                raise RawDataError(f"{file}: {problem}; the file is cut off or changed, fetch it again") from error


def read_csv(file: RawFile, header: list[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with exactly this header; quoted texts may hold line breaks.

    Raises:
        RawDataError: Another header, a row of another width, or broken quotes; names the line.
    """
    reader = csv.DictReader(io.StringIO(file.read().decode("utf-8-sig"), newline=""), strict=True)
    try:
        if reader.fieldnames != header:
            found = ",".join(reader.fieldnames or [])
            raise RawDataError(f"{file}: line 1: expected the header {','.join(header)}, found {found[:100]}")
        for row in reader:
            if None in row or None in row.values():
                raise RawDataError(f"{file}: line {reader.line_num}: expected {len(header)} cells")
            yield row
    except csv.Error as error:
        raise RawDataError(f"{file}: line {reader.line_num}: not valid CSV ({error}); fetch the file again") from error
