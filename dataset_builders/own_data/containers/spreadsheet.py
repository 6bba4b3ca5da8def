"""Sheets of workbooks (xlsx, xlsm, xlsb, xls, ods), each with a header as a table."""

from __future__ import annotations

import datetime
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers import archives
from dataset_builders.own_data.containers.opening import open_seekable
from dataset_builders.own_data.rejects import one_line
from dataset_builders.sources.raw_files import RawFile

_OLE = b"\xd0\xcf\x11\xe0"
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
_HEADER_ROWS = 20
"""Number of rows, from the first with content, among which the header is."""


@dataclass(frozen=True)
class Sheet(RawFile):
    """A sheet of a workbook; opened as bytes, it is the workbook.

    Args:
        sheet: Name of the sheet.
    """

    sheet: str = ""


def is_office(file: RawFile, head: bytes) -> bool:
    """Whether a file is an office document, such as a workbook.

    Args:
        file: The file.
        head: Its first bytes, unpacked.
    """
    if head.startswith(_OLE):
        return True
    if not head.startswith(archives.ZIP):
        return False
    with open_seekable(file) as stream, zipfile.ZipFile(stream) as archive:
        return not {"[Content_Types].xml", "mimetype"}.isdisjoint(archive.namelist())


def sheets(file: RawFile) -> list[Sheet]:
    """The sheets of a workbook that hold a table, in the order of the workbook; hidden ones too.

    Raises:
        DataError: It is no workbook, is protected or damaged, or the library for workbooks is missing.
    """
    with _Workbook(file) as book:
        return [
            Sheet(one_line(f"{file.name}/{name}"), file.path, file.members, name)
            for name in book.names
            if _find_header(book.rows(name))
        ]


def columns(file: Sheet) -> tuple[str, ...]:
    """The columns of a sheet: its header, where a name that repeats has a number and an empty one its letter."""
    with _Workbook(file) as book:
        header = _find_header(book.rows(file.sheet))
    return header[1] if header else ()


def read(file: Sheet) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows below the header, each with its number in the sheet, from 1; rows without a value are skipped.

    Values are texts, numbers (whole ones as integers), truth values, dates and times in ISO 8601, and None for empty
    cells. The whole sheet is in memory: the files hold at most a million rows and are compressed as a whole.
    """
    with _Workbook(file) as book:
        rows = book.rows(file.sheet)
        header = _find_header(rows)
        if header is None:
            return
        start, names = header
        for number, cells in enumerate(rows[start + 1 :], start=start + 2):
            values = [_value(cell) for cell in cells]
            if any(value is not None for value in values):
                yield number, dict(zip(names, values, strict=False))


class _Workbook:
    """An open workbook."""

    def __init__(self, file: RawFile) -> None:
        self._file = file

    def __enter__(self) -> _Workbook:
        try:
            import python_calamine as calamine
        except ImportError:
            advice = "spreadsheets need python-calamine; run: pip install 'dialogue-cube[spreadsheets]'"
            raise DataError(f"{self._file}: {advice}, or save it as CSV") from None
        self._errors = (calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError)
        stream = open_seekable(self._file)
        try:
            self._book = calamine.CalamineWorkbook.from_filelike(stream)
        except self._errors as error:
            raise self._unusable(error) from error
        self.names = [s.name for s in self._book.sheets_metadata if s.typ == calamine.SheetTypeEnum.WorkSheet]
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()

    def rows(self, name: str) -> list[list[Any]]:
        """All rows of a sheet, from its first row and column."""
        try:
            return self._book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        except self._errors as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DataError:
        if "password" in f"{type(error).__name__} {error}".lower():
            return DataError(f"{self._file}: is protected by a password; save it without one")
        cause = one_line(str(error)) or type(error).__name__
        return DataError(f"{self._file}: an office document; save it as CSV, or as plain text ({cause})")


def _find_header(rows: Sequence[list[Any]]) -> tuple[int, tuple[str, ...]] | None:
    """Index and names of the header: the first row with two or more texts; None if there is none with rows below."""
    seen = 0
    for index, cells in enumerate(rows):
        texts = sum(isinstance(cell, str) and bool(cell.strip()) for cell in cells)
        if texts >= 2:
            width = max(len(cells), max((len(row) for row in rows[index + 1 : index + 1000]), default=0))
            return (index, _names(cells, width)) if len(rows) > index + 1 else None
        seen += any(cell not in ("", None) for cell in cells)
        if seen > _HEADER_ROWS:
            return None
    return None


def _names(cells: list[Any], width: int) -> tuple[str, ...]:
    names: list[str] = []
    counts: Counter[str] = Counter()
    for index in range(width):
        cell = _value(cells[index]) if index < len(cells) else None
        name = str(cell).strip() if cell is not None else f"column {_letters(index)}"
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return tuple(names)


def _letters(index: int) -> str:
    """The name of a column in a spreadsheet: A, B, ..., Z, AA, AB."""
    index, last = divmod(index, 26)
    return (_letters(index - 1) if index else "") + chr(ord("A") + last)


def _value(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    return cell
