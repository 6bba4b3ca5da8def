"""Rows of files that are tables by their type: columnar files and sheets of workbooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dataset_builders.own_data.containers import cells, columnar, spreadsheet
from dataset_builders.own_data.containers.opening import READ_ERRORS, open_bytes, unreadable
from dataset_builders.sources.raw_files import RawFile


@dataclass(frozen=True)
class Rows:
    """The rows of a table.

    Args:
        columns: Names of the columns, each once.
        read: The rows as dicts of JSON values, anew with each call, each with its number: in a columnar file from 1, in
            a sheet that of the sheet.
        notes: What is not read, a clause each.
    """

    columns: tuple[str, ...]
    read: Callable[[], Iterator[tuple[int, dict[str, Any]]]] = field(repr=False)
    notes: tuple[str, ...] = ()


def open_rows(file: RawFile) -> Rows | None:
    """The rows of a columnar file or a sheet; None for any other file.

    Args:
        file: A file from `find_all`; of a workbook, the first sheet with a table is read.

    Raises:
        DataError: The file is damaged or protected, or a library for it is missing.
    """
    if isinstance(file, spreadsheet.Sheet):
        return _rows(spreadsheet.columns(file), lambda: spreadsheet.read(file))
    try:
        with open_bytes(file) as stream:
            head = stream.read(8)
    except READ_ERRORS as error:
        raise unreadable(file, error) from error
    if columnar.is_columnar(head):
        binary = columnar.binary_columns(file)
        notes = (f"bytes are not read: {', '.join(binary)}",) if binary else ()
        return _rows(columnar.columns(file), lambda: columnar.read(file), notes)
    if spreadsheet.is_office(file, head) and (tables := spreadsheet.sheets(file)):
        return open_rows(tables[0])
    return None


def _rows(
    columns: tuple[str, ...], read: Callable[[], Iterator[tuple[int, dict[str, Any]]]], notes: tuple[str, ...] = ()
) -> Rows:
    turns = cells.turn_columns(columns)
    return Rows(columns, (lambda: cells.with_lists(read(), turns)) if turns else read, notes)
