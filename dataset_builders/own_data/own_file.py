"""One file of own data: recognise its form and read its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import json_records, plain_text, tabular
from dataset_builders.own_data.detect import HEAD_CHARACTERS, Form, find_form
from dataset_builders.own_data.inputs import READ_ERRORS, extension, unreadable
from dataset_builders.own_data.json_records import Broken, Raw
from dataset_builders.own_data.names import Layout
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.records import RecordParser, dialogue_of, own_id, text_of
from dataset_builders.own_data.rejects import BadRecord, Rejected, Tally, one_line, shorten
from dataset_builders.own_data.text_encoding import detect_encoding, is_damaged, open_text
from dataset_builders.schema import ALL, Dialogue, Utterance
from dataset_builders.sources.raw_files import RawFile

Event = Dialogue | Utterance | Rejected

HOPELESS = 100
"""Reading a file stops if its first `HOPELESS` records are all bad."""

_SPLITS = {
    "train": "train",
    "dev": "dev",
    "val": "val",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class OwnFile:
    """A file whose form has been recognised.

    Args:
        file: The file.
        options: Columns and encoding that the user named.
        encoding: Text encoding, as Python names it.
        form: The file's form.
        is_intents: Whether it holds labelled utterances rather than dialogues.
        split: The split that it is named after, or `ALL`.
    """

    file: RawFile
    options: Options
    encoding: str
    form: Form
    is_intents: bool
    split: str = ALL

    def read(self, tally: Tally) -> Iterator[Event]:
        """The rows and the rejected records, in the order of the file.

        Args:
            tally: Counts to increase.

        Raises:
            DataError: The file is damaged, or its first `HOPELESS` records are all bad.
        """
        try:
            yield from _Reading(self, tally).events()
        except READ_ERRORS as error:
            raise unreadable(self.file, error) from error


def open_own(file: RawFile, options: Options) -> OwnFile:
    """Recognise a file's encoding, form and kind of rows.

    Raises:
        DataError: The file is empty, not text, or in no supported form.
    """
    encoding = options.encoding or detect_encoding(file)
    try:
        with open_text(file, encoding) as stream:
            head = stream.read(HEAD_CHARACTERS)
        if "\0" in head and options.encoding:
            raise BadRecord(f"contains zero bytes, so it is not text in {encoding}")
        form = find_form(head, len(head) < HEAD_CHARACTERS, extension(file.name), options)
        own = OwnFile(file, options, encoding, form, is_intents=False)
        layout = _Reading(own, Tally()).first_layout()
    except BadRecord as problem:
        raise DataError(f"{file}: {one_line(str(problem))}") from problem
    except (*READ_ERRORS, UnicodeError) as error:
        raise unreadable(file, error) from error
    return OwnFile(file, options, encoding, form, is_intents=bool(layout and layout.is_intent))


def split_of(name: str) -> str:
    """The split that a file is named after: `train.jsonl`, `test.csv.gz`; `ALL` for any other name."""
    stem = PurePosixPath(name).name.lower().split(".")[0]
    return _SPLITS.get(stem, ALL)


class _Reading:
    """One pass over a file."""

    def __init__(self, own: OwnFile, tally: Tally) -> None:
        self._own, self._tally = own, tally
        self._name = own.file.name
        self._parser = RecordParser(own.options)
        self._ids: dict[str, int] = {}
        self._numbered = 0
        self._first_rejected: list[Rejected] = []

    def first_layout(self) -> Layout | None:
        """The layout of the first usable record; None for plain text, which always holds dialogues.

        Raises:
            BadRecord: None of the first `HOPELESS` records is usable.
        """
        if self._own.form.name == "text":
            return None
        problems: list[str] = []
        for line, record in self._raw():
            try:
                return self._layout(record)
            except BadRecord as problem:
                problems.append(f"line {line}: {problem}")
            if len(problems) == HOPELESS:
                break
        raise BadRecord(f"no record can be used: {'; '.join(problems[:3])}" if problems else "it holds no records")

    def events(self) -> Iterator[Event]:
        if self._own.form.name == "text":
            yield from self._text()
            return
        layout = self.first_layout()
        yield from self._rows_of_turns(layout) if layout and layout.kind == "row" else self._records()

    def _raw(self) -> Iterator[Raw]:
        own = self._own
        if own.form.table:
            return tabular.read_table(own.file, own.encoding, own.form.table)
        if own.form.name == "jsonl":
            return json_records.read_lines(own.file, own.encoding)
        return json_records.read_document(own.file, own.encoding, self._parser.is_record)

    def _layout(self, record: Any) -> Layout:
        if record.__class__ is Broken:
            raise BadRecord(record.reason)
        return self._parser.layout(record)

    def _records(self) -> Iterator[Event]:
        """The rows of a file in which each record makes its own rows."""
        tally, parse, is_intents = self._tally, self._parser.parse, self._own.is_intents
        for number, (line, record) in enumerate(self._raw(), start=1):
            tally.records += 1
            try:
                layout = self._layout(record)
                if layout.kind == "row" or layout.is_intent != is_intents:
                    what = "labelled utterances" if is_intents else "dialogues"
                    raise BadRecord(f"the file holds {what}, this record is something else")
                rows = parse(record, layout)
            except BadRecord as problem:
                yield self._reject(line, number, problem, record)
                continue
            original_id = own_id(record, layout) if layout.id else ""
            name = self._row_id(original_id, number)
            for part, row in enumerate(rows, start=1):
                row.id = name if len(rows) == 1 else f"{name}.{part}"
                row.split = self._own.split
                if isinstance(row, Dialogue):
                    row.original_id = original_id or None
                    tally.dialogues += 1
                else:
                    tally.utterances += 1
                yield row

    def _rows_of_turns(self, layout: Layout) -> Iterator[Event]:
        """The dialogues of a file with one row per turn, possibly interleaved.

        A first pass counts the rows of each dialogue. So a dialogue is complete with its last row, and only
        unfinished dialogues are in memory.
        """
        remaining = Counter(_dialogue_id(record, layout) for _, record in self._raw())
        unfinished: dict[str, list[_TurnRow]] = {}
        for number, (line, record) in enumerate(self._raw(), start=1):
            self._tally.records += 1
            dialogue_id = _dialogue_id(record, layout)
            try:
                row = self._turn_row(line, number, record, layout)
                if layout.id and not dialogue_id:
                    raise BadRecord("the row names no dialogue")
                unfinished.setdefault(dialogue_id, []).append(row)
            except BadRecord as problem:
                yield self._reject(line, number, problem, record)
            remaining[dialogue_id] -= 1
            if not remaining[dialogue_id] and dialogue_id in unfinished:
                yield self._grouped(dialogue_id, unfinished.pop(dialogue_id))

    def _turn_row(self, line: int, number: int, record: Any, layout: Layout) -> _TurnRow:
        if record.__class__ is Broken:
            raise BadRecord(record.reason)
        try:
            speaker, text = record[layout.other], record[layout.text]
        except (KeyError, TypeError):
            raise BadRecord(f"expected a turn with {layout.other!r} and {layout.text!r}") from None
        order = record.get(layout.order) if layout.order else None
        return _TurnRow(line, number, text_of(speaker, "speaker"), text_of(text, "text"), _number(order))

    def _grouped(self, original_id: str, rows: list[_TurnRow]) -> Event:
        """The dialogue of these rows, in the order of the turn numbers if each row has its own."""
        first = rows[0]
        orders = [row.order for row in rows if row.order is not None]
        if len(set(orders)) == len(rows):
            rows = sorted(rows, key=lambda row: row.order or 0)
        try:
            dialogue = dialogue_of([(row.speaker, row.text) for row in rows])
        except BadRecord as problem:
            rejected = self._reject(first.line, first.number, problem, f"{first.speaker}: {first.text}")
            self._tally.rejected += len(rows) - 1
            return rejected
        dialogue.id = self._row_id(original_id, first.number)
        dialogue.original_id, dialogue.split = original_id or None, self._own.split
        self._tally.dialogues += 1
        return dialogue

    def _text(self) -> Iterator[Event]:
        style = self._own.form.text
        assert style is not None  # guaranteed by `find_form`
        with open_text(self._own.file, self._own.encoding) as lines:
            for number, block in enumerate(plain_text.read_blocks(lines, style), start=1):
                self._tally.records += 1
                try:
                    if block.problem or is_damaged(block.text):
                        raise BadRecord(block.problem or "holds bytes that are not text in this encoding")
                    dialogue = dialogue_of(block.turns)
                except BadRecord as problem:
                    yield self._reject(block.line, number, problem, block.text)
                    continue
                dialogue.id, dialogue.split = f"{self._name}/{number}", self._own.split
                self._tally.dialogues += 1
                yield dialogue

    def _row_id(self, original_id: str, number: int) -> str:
        """`<file>/<id>`, or `<file>/<record number>` without an id; `~2`, `~3` and so on mark repeated ids."""
        if not original_id and not self._ids:  # record numbers alone are unique and need no memory
            self._numbered = number
            return f"{self._name}/{number}"
        name = original_id or str(number)
        is_earlier_number = name.isdecimal() and int(name) <= self._numbered
        count = self._ids.get(name, int(is_earlier_number)) + 1
        while count > 1 and f"{name}~{count}" in self._ids:
            count += 1
        self._ids[name] = count
        if count > 1:
            self._ids[f"{name}~{count}"] = 1
        return f"{self._name}/{name}" + (f"~{count}" if count > 1 else "")

    def _reject(self, line: int, number: int, problem: BadRecord, record: Any) -> Rejected:
        self._tally.rejected += 1
        text = record.text if isinstance(record, Broken) else shorten(record)
        rejected = Rejected(self._name, line, number, one_line(str(problem)), text)
        if len(self._first_rejected) < 3:
            self._first_rejected.append(rejected)
        if self._tally.rejected == self._tally.records == HOPELESS:
            reasons = "; ".join(map(str, self._first_rejected))
            raise DataError(f"{self._own.file}: its first {HOPELESS} records cannot be used: {reasons}")
        return rejected


class _TurnRow(NamedTuple):
    line: int
    number: int
    speaker: str
    text: str
    order: float | None


def _dialogue_id(record: Any, layout: Layout) -> str:
    return own_id(record, layout) if layout.id and record.__class__ is dict else ""


def _number(value: Any) -> float | None:
    try:
        return float(value) if value is not None else None
    except (TypeError, ValueError):
        return None
