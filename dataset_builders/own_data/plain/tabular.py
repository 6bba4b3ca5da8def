"""Read CSV, TSV and similar tables as raw records: a dict by column and the line that it begins on."""

from __future__ import annotations

import csv
import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dataset_builders.own_data.containers.text_encoding import open_text
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain.json_records import Broken, Raw
from dataset_builders.own_data.plain.names import NAME_COLUMNS, TURNS, find_layout, is_column_name, plain
from dataset_builders.own_data.rejects import BadRecord, NotEvident
from dataset_builders.sources.raw_files import RawFile

DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
_MIN_LABELS = 4
_LABEL_WORDS = 3


@dataclass(frozen=True)
class Table:
    """The form of a table.

    Args:
        delimiter: One of `DELIMITERS`.
        columns: Names from the header; without a header, `question` and `answer` or the numbers from 1.
        has_header: Whether the first row holds the names.
        skip: Number of lines before the first row (`sep=;` of a spreadsheet).
    """

    delimiter: str
    columns: tuple[str, ...]
    has_header: bool
    skip: int = 0


def find_table(head: str, options: Options, is_table_by_name: bool) -> Table | None:
    """Detect the form of a table from its beginning; None if the text is not a table.

    Args:
        head: The first lines, complete.
        options: Columns that the user named.
        is_table_by_name: Whether the file is named `.csv`, `.tsv` or `.tab`. Any other text must have a recognised
            header, or exactly two columns separated by tabs.

    Raises:
        BadRecord: The text is a table whose columns are not recognised.
    """
    lines = head.lstrip("\ufeff").split("\n")
    first_line = lines[0].strip().lower()
    declared = first_line[4:] if first_line.startswith("sep=") and len(first_line) == 5 else ""
    if first_line == "sep=":  # a tab, which `strip` removes
        declared = "\t"
    skip = 1 if declared else 0
    samples = {d: _sample(lines[skip:], d) for d in declared or DELIMITERS}
    tables = {d: rows for d, rows in samples.items() if rows and _width(rows) > 1}
    with_header = [d for d, rows in tables.items() if _is_header(rows[0], options)]
    if with_header:
        best = max(with_header, key=lambda d: (_agreement(tables[d]), len(tables[d][0])))
        return Table(best, _unique(tables[best][0]), has_header=True, skip=skip)
    by_number = _by_number(options)
    if not is_table_by_name and not by_number:
        rows = tables.get("\t", [])
        if len(rows) < 2 or {len(row) for row in rows} != {2}:
            return None
        _check_pairs(rows)
        return Table("\t", ("question", "answer"), has_header=False, skip=skip)
    if not tables:
        return None
    best = max(tables, key=lambda d: (_agreement(tables[d]), -DELIMITERS.index(d)))
    width, first = _width(tables[best]), tables[best][0]
    if by_number:
        return Table(best, tuple(str(n) for n in range(1, width + 1)), has_header=False, skip=skip)
    if options.columns:
        find_layout(first, options)  # raises an error that names the missing column
    if width == 2 and not any(is_column_name(cell) for cell in first):
        _check_pairs(tables[best])
        return Table(best, ("question", "answer"), has_header=False, skip=skip)
    raise BadRecord(f"line {1 + skip}: none of the columns {', '.join(first)[:200]} is recognised; {NAME_COLUMNS}")


def _check_pairs(rows: list[list[str]]) -> None:
    """Check that the second of two columns without a header holds answers rather than labels.

    Raises:
        NotEvident: It has few different values of few words each.
    """
    seconds = [row[1] for row in rows if len(row) == 2]
    if len(seconds) >= _MIN_LABELS and 2 * len(set(seconds)) <= len(seconds) and _are_short(seconds):
        raise NotEvident(
            f"it is not evident whether the second column holds answers or labels, such as {seconds[0][:40]!r}; say "
            "which: question_column and answer_column 1 and 2 (--question-column 1 --answer-column 2), or text_column "
            "and label_column 1 and 2"
        )


def _are_short(texts: list[str]) -> bool:
    return all(len(text.split()) <= _LABEL_WORDS for text in texts)


def read_table(file: RawFile, encoding: str, table: Table) -> Iterator[Raw]:
    """The rows of a table, each a dict by column.

    In a line with an unclosed quote, quotes are ordinary characters if that gives the right number of cells;
    otherwise only this line is `Broken`.
    """
    width = len(table.columns)
    with open_text(file, encoding) as stream:
        lines = _Lines(itertools.islice(stream, table.skip, None), table.skip)
        reader = csv.reader(lines, delimiter=table.delimiter, strict=True, skipinitialspace=table.delimiter != "\t")
        is_header = table.has_header
        while True:
            lines.taken.clear()
            start = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                line = lines.taken[0]
                lines.give_back()
                cells = [cell.strip() for cell in line.rstrip("\n").split(table.delimiter)]
                if len(cells) != width:
                    yield start, Broken(f"not valid CSV ({error})", line)
                    continue
            if is_header:
                is_header = False
                continue
            if len(cells) != width:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) < width or any(cell.strip() for cell in cells[width:]):
                    yield start, Broken(f"expected {width} cells, found {len(cells)}", "".join(lines.taken))
                    continue
            elif not any(cells):
                continue
            yield start, dict(zip(table.columns, cells, strict=False))


class _Lines:
    """Lines for the CSV reader; the lines of a record with an unclosed quote can be read again."""

    def __init__(self, stream: Iterator[str], number: int) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self.number = number
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._stream)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """Have all lines of the record but the first one read again."""
        self.number -= len(self.taken) - 1
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _sample(lines: Iterable[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    while len(rows) < _SAMPLE_ROWS:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            continue
        if any(cell.strip() for cell in row):
            rows.append([cell.strip() for cell in row])
    return rows


def _width(rows: list[list[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0]


def _agreement(rows: list[list[str]]) -> float:
    """Share of rows that have the most frequent width."""
    return Counter(map(len, rows)).most_common(1)[0][1] / len(rows)


def _by_number(options: Options) -> bool:
    """Whether the user named columns, all by number."""
    return bool(options.columns) and all(value.isdecimal() for value in options.columns.values())


def _is_header(header: list[str], options: Options) -> bool:
    if _by_number(options):
        return False
    try:
        turns = frozenset(name for name in header if plain(name) in TURNS)  # a cell can hold a whole dialogue
        return len(header) > 1 and find_layout(header, options, turns) is not None
    except NotEvident:  # its columns are recognised, if not all
        return True
    except BadRecord:
        return False


def _unique(header: list[str]) -> tuple[str, ...]:
    """Column names; a repeated name gets a number, so that the first one keeps its meaning."""
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        name = name.strip("\ufeff \t")
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)
