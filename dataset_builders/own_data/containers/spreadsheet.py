"""Sheets of workbooks (xlsx, xlsm, xlsb, xls, ods), each with a header as a table."""

from __future__ import annotations

import datetime
import functools
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from dataset_builders.common.errors import DataError
from dataset_builders.common.unpacking import UnpackedSizeError, unpacked_limit
from dataset_builders.own_data.containers import archives
from dataset_builders.own_data.containers.opening import READ_ERRORS, open_seekable
from dataset_builders.own_data.rejects import one_line
from dataset_builders.sources.raw_files import RawFile

_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_DIMENSION = re.compile(rb'<dimension ref="(?:[A-Z]+\d+:)?([A-Z]+)(\d+)"')
_MAX_CELLS = 50_000_000
"""Maximum number of cells of a sheet, about 1.5 GB of memory."""

_ROWS_BEFORE_HEADER = 20
"""Maximum number of rows with content before the header."""


@dataclass(frozen=True)
class Sheet(RawFile):
    """A sheet of a workbook; opened as bytes, it is the workbook.

    Args:
        sheet: Name of the sheet.
    """

    sheet: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()}:{self.sheet}"


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
    try:
        with open_seekable(file) as stream, zipfile.ZipFile(stream) as archive:
            return not {"[Content_Types].xml", "mimetype"}.isdisjoint(archive.namelist())
    except READ_ERRORS:
        return False


def sheets(file: RawFile) -> list[Sheet]:
    """The sheets of a workbook that hold a table, in the order of the workbook; hidden ones too.

    Raises:
        DataError: It is no workbook, is protected or damaged, or the library for workbooks is missing.
    """
    with _open(file) as book:
        tables = [name for name in book.sheet_names if _is_table(book.get_sheet_by_name(name))]
    return [Sheet(one_line(f"{file.name}/{name}"), file.path, file.members, name) for name in tables]


def columns(file: Sheet) -> tuple[str, ...]:
    """The columns of a sheet: its header, where a name that repeats has a number and an empty one its letter.

    Raises:
        DataError: As for `sheets`.
    """
    with _open(file) as book:
        sheet = book.get_sheet_by_name(file.sheet)
        header = _find_header(_rows(sheet), _left(sheet))
    return header[1] if header else ()


def read(file: Sheet) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows below the header, each with its number in the sheet, from 1; empty rows and headings are skipped.

    Values are texts, numbers (whole ones as integers), truth values, dates and times in ISO 8601, and None for empty
    cells. Cells that are merged downwards have their value in each row. The sheet is in memory, about as many bytes as
    the unpacked file has.

    Raises:
        DataError: As for `sheets`.
    """
    with _open(file) as book:
        sheet = book.get_sheet_by_name(file.sheet)
        rows = _rows(sheet)
        header = _find_header(rows, _left(sheet))
        if header is None:
            return
        start, names = header
        merged = _Merged(sheet)
        for number, cells in enumerate(rows, start=start + 2):
            values = merged.filled(number - 1, [_value(cell) for cell in cells])
            if values:
                yield number, dict(zip(names, values, strict=False))


class _Merged:
    """The merged cells of a sheet."""

    def __init__(self, sheet: Any) -> None:
        left = _left(sheet)
        self._ends = {(top, x - left): (end, last - left) for (top, x), (end, last) in sheet.merged_cell_ranges or ()}
        self._active: dict[int, tuple[Any, int]] = {}

    def filled(self, row: int, values: list[Any]) -> list[Any]:
        """The values of a row, with those of the cells that are merged downwards; empty if the row is to be skipped.

        Args:
            row: Index of the row; rows come in their order.
            values: Its values.
        """
        present = [x for x, value in enumerate(values) if value is not None]
        for x in present:
            end, last = self._ends.get((row, x), (row, x))
            if last > x and len(present) == 1:  # a heading over several columns
                return []
            if end > row:
                self._active[x] = (values[x], end)
        if not present:
            return []
        for x, (value, end) in self._active.items():
            if values[x] is None and row <= end:
                values[x] = value
        return values


@contextmanager
def _open(file: RawFile) -> Iterator[Any]:
    """The workbook of a file."""
    try:
        import python_calamine as calamine
    except ImportError:
        advice = "run: pip install python-calamine, or save it as CSV"
        raise DataError(f"{file}: reading spreadsheets needs python-calamine; {advice}") from None
    try:
        with open_seekable(file) as stream:
            _check_unpacked(file, stream)
            _check_size(file, stream)
            book = calamine.CalamineWorkbook.from_filelike(stream)
            yield book
            book.close()
    except BaseException as error:  # a damaged xls makes the library panic, which is no `Exception`
        is_damage = (
            isinstance(error, (calamine.CalamineError, *READ_ERRORS)) or type(error).__name__ == "PanicException"
        )
        if not is_damage:
            raise
        if isinstance(error, calamine.PasswordError) or _is_encrypted(file):
            raise DataError(f"{file}: is protected by a password; save it without one") from error
        cause = one_line(str(error)) or type(error).__name__
        raise DataError(f"{file}: an office document; save it as CSV, or as plain text ({cause})") from error


def _check_unpacked(file: RawFile, stream: BinaryIO) -> None:
    """Refuse a workbook whose parts unpack to far more than its size: the library unpacks them without a limit."""
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            packed, size = stream.seek(0, io.SEEK_END), sum(part.file_size for part in archive.infolist())
        if size > (limit := unpacked_limit(packed, in_memory=True)):
            raise UnpackedSizeError.of(file, packed, limit)
    stream.seek(0)


def _check_size(file: RawFile, stream: BinaryIO) -> None:
    """Refuse a sheet of xlsx with a stray cell far away: the library would need memory for all cells up to it.

    Raises:
        DataError: A sheet has more than `_MAX_CELLS` cells.
    """
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
                    continue
                with archive.open(name) as part:
                    size = _DIMENSION.search(part.read(4096))
                if size and _number_of(size[1].decode()) * int(size[2]) > _MAX_CELLS:
                    cell = (size[1] + size[2]).decode()
                    raise DataError(f"{file}: a sheet reaches to cell {cell}; delete the cells far away from its table")
    stream.seek(0)


def _is_encrypted(file: RawFile) -> bool:
    """Whether an office document is the encrypted package that Office writes for one with a password."""
    with open_seekable(file) as stream:
        return _ENCRYPTED in stream.read()


def _rows(sheet: Any) -> Iterator[list[Any]]:
    """The rows of a sheet from its first one, each from the first column with content."""
    return iter(sheet.iter_rows() if sheet.start else ())  # older versions panic if there are none


def _left(sheet: Any) -> int:
    """Index of the first column with content."""
    return (sheet.start or (0, 0))[1]


def _is_table(sheet: Any) -> bool:
    """Whether there are rows below a header."""
    rows = _rows(sheet)
    return _find_header(rows, 0) is not None and any(_value(cell) is not None for cells in rows for cell in cells)


def _find_header(rows: Iterator[list[Any]], left: int) -> tuple[int, tuple[str, ...]] | None:
    """Index and names of the header, after which `rows` continues; None if no table begins here.

    The header is the first row with two or more texts. A few rows, such as a title, may come before it.
    """
    before = 0
    for index, cells in enumerate(rows):
        if sum(isinstance(cell, str) and bool(cell.strip()) for cell in cells) >= 2:
            return index, _names(cells, left)
        before += any(_value(cell) is not None for cell in cells)
        if before > _ROWS_BEFORE_HEADER:
            break
    return None


def _names(cells: list[Any], left: int) -> tuple[str, ...]:
    names: list[str] = []
    counts: Counter[str] = Counter()
    for index, cell in enumerate(map(_value, cells)):
        name = str(cell).strip() if cell is not None else f"column {_letters(left + index)}"
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return tuple(names)


def _letters(index: int) -> str:
    """The name of a column in a spreadsheet: A, B, ..., Z, AA, AB."""
    index, last = divmod(index, 26)
    return (_letters(index - 1) if index else "") + chr(ord("A") + last)


def _number_of(letters: str) -> int:
    """The number of a column, from 1."""
    return functools.reduce(lambda number, letter: number * 26 + ord(letter) - ord("A") + 1, letters, 0)


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
