"""The beginning of a file, from which formats recognise it."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import islice
from typing import Any

import ijson

from dataset_builders.own_data.containers.inputs import extension, open_bytes
from dataset_builders.own_data.containers.rows import Rows
from dataset_builders.own_data.containers.text_encoding import open_text
from dataset_builders.sources.raw_files import RawFile

_FIRST_RECORDS = 20
LONG_NUMBER = re.compile(rb"\d{1000,}")
"""A number at which ijson's C library may end the process: Python refuses to convert more than 4,300 digits."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

HEAD_BYTES = 1 << 18
"""Number of bytes at the beginning of a file that decide its format."""


class Probe:
    """The beginning of a file.

    Args:
        file: The file.
        encoding: Its text encoding; empty if it is not text.
        rows: Its rows, if it is a table by its type, such as parquet.

    Attributes:
        file: The file.
        name: Its name, with folders: `slack/general/2026-01-01.json`.
        extension: Extension in lower case, without that of a compression: `.json`.
        bytes: The first `HEAD_BYTES` unpacked bytes.
    """

    def __init__(self, file: RawFile, encoding: str, rows: Rows | None = None) -> None:
        self.file, self.encoding, self._rows = file, encoding, rows
        self.name, self.extension = file.name, extension(file.name)
        with open_bytes(file) as stream:
            self.bytes = stream.read(HEAD_BYTES)
        self.is_whole = len(self.bytes) < HEAD_BYTES

    @cached_property
    def text(self) -> str:
        """The first characters, without a byte order mark; empty if the file is not text."""
        if not self.encoding:
            return ""
        with open_text(self.file, self.encoding) as stream:
            return stream.read(HEAD_BYTES).lstrip("\ufeff")

    @cached_property
    def lines(self) -> list[str]:
        """The first lines, complete ones only, without line ends; blank lines included."""
        lines = self.text.split("\n")
        return lines if self.is_whole or len(lines) == 1 else lines[:-1]

    @cached_property
    def json(self) -> Any:
        """The JSON value at the beginning, as far as it was read: later keys and elements are missing.

        None if it is not JSON; of JSON Lines, the first line.
        """
        if self.text.lstrip()[:1] not in ("{", "["):
            return None
        return _beginning(self.text.encode("utf-8", "replace"))

    @cached_property
    def records(self) -> list[Any]:
        """The first records: lines of JSON Lines, elements of a list, the single object, or rows of a table by type.

        The last one may lack keys that were not read.
        """
        if self._rows is not None:
            return [record for _, record in islice(self._rows.read(), _FIRST_RECORDS)]
        lines = [line for line in self.lines if line.strip()][:_FIRST_RECORDS]
        whole = [line for line in lines if line[:1] in ("{", "[") and line.rstrip()[-1:] in ("}", "]")]
        if len(lines) > 1 and 2 * len(whole) >= len(lines):
            return [_beginning(line.encode("utf-8", "replace")) if line[:1] in ("{", "[") else None for line in lines]
        return self.json if isinstance(self.json, list) else [self.json] if self.json is not None else []

    def records_below(self, key: str) -> list[Any]:
        """The first records, as `Export.records` reads them: those in the list `key` in place of an object that has it.

        Args:
            key: Key of the list: `tickets`.
        """
        records: list[Any] = []
        for record in self.records:
            elements = record.get(key) if isinstance(record, dict) else None
            records.extend(elements if isinstance(elements, list) else [record])
        return records


def _beginning(content: bytes) -> Any:
    """The JSON value at the beginning of a text that may be cut off anywhere; None if there is none."""
    root: list[Any] = []
    open_values: list[Any] = [root]
    keys: list[str] = []
    content = _SURROGATE.sub(rb"\\ufffd", content)  # half of a character, at which ijson stops
    content = LONG_NUMBER.sub(b"0", content)
    try:
        for event, value in ijson.basic_parse(content, multiple_values=False):
            if event == "map_key":
                keys[-1] = value
                continue
            if event in ("end_map", "end_array"):
                open_values.pop()
                keys.pop()
                continue
            new: Any = {} if event == "start_map" else [] if event == "start_array" else value
            parent = open_values[-1]
            if isinstance(parent, list):
                parent.append(new)
            else:
                parent[keys[-1]] = new
            if event in ("start_map", "start_array"):
                open_values.append(new)
                keys.append("")
    except (ijson.JSONError, ValueError):  # cut off, or not JSON from here on
        pass
    return root[0] if root else None
