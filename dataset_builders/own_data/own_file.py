"""One file of own data: what it is, and its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import json_records, plain_text, tabular
from dataset_builders.own_data.detect import HEAD_CHARACTERS, Form, find_form
from dataset_builders.own_data.inputs import READ_ERRORS, broken, extension
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
"""A file whose first so many records are all bad is not read any further."""

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
    """A file whose form is known.

    Args:
        file: Where its bytes are.
        options: What the user said about it.
        encoding: As Python names it.
        form: How it is written.
        is_intents: It holds labelled utterances, not dialogues.
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
            tally: Counted up on the way.

        Raises:
            DataError: The file is damaged, or its first `HOPELESS` records are all bad.
        """
        try:
            yield from _Reading(self, tally).events()
        except READ_ERRORS as error:
            raise broken(self.file, error) from error


def open_own(file: RawFile, options: Options) -> OwnFile:
    """Find out how a file is written.

    Raises:
        DataError: It is empty, not text, or in no form that is understood.
    """
    encoding = options.encoding or detect_encoding(file)
    try:
        with open_text(file, encoding) as stream:
            head = stream.read(HEAD_CHARACTERS)
        if "\0" in head and options.encoding:
            raise BadRecord(f"zero bytes in it: not text in {encoding}")
        form = find_form(head, len(head) < HEAD_CHARACTERS, extension(file.name), options)
        own = OwnFile(file, options, encoding, form, is_intents=False)
        layout = _Reading(own, Tally()).first_layout()
    except BadRecord as problem:
        raise DataError(f"{file}: {one_line(str(problem))}") from problem
    except (*READ_ERRORS, UnicodeError) as error:
        raise broken(file, error) from error
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
        self._first: list[Rejected] = []

    def first_layout(self) -> Layout | None:
        """The form of the first record that has one; None for plain text, which is always dialogues.

        Raises:
            BadRecord: None of the first `HOPELESS` records has one.
        """
        if self._own.form.name == "text":
            return None
        first: list[str] = []
        for line, record in self._raw():
            try:
                return self._layout(record)
            except BadRecord as problem:
                first.append(f"line {line}: {problem}")
            if len(first) == HOPELESS:
                break
        raise BadRecord(f"no record can be used: {'; '.join(first[:3])}" if first else "there is no record in it")

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
        """Each record makes its own rows."""
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
            given = own_id(record, layout) if layout.id else ""
            name = self._unique(given or str(number), bool(given))
            for part, row in enumerate(rows, start=1):
                row.id = name if len(rows) == 1 else f"{name}.{part}"
                row.split = self._own.split
                if isinstance(row, Dialogue):
                    row.original_id = given or None
                    tally.dialogues += 1
                else:
                    tally.utterances += 1
                yield row

    def _rows_of_turns(self, layout: Layout) -> Iterator[Event]:
        """Dialogues that are spread over rows, perhaps interleaved.

        Rows are counted first, so that a dialogue is handed on with its last row and only unfinished ones are held.
        """
        waiting = Counter(_dialogue_id(record, layout) for _, record in self._raw())
        unfinished: dict[str, list[_TurnRow]] = {}
        for number, (line, record) in enumerate(self._raw(), start=1):
            self._tally.records += 1
            given = _dialogue_id(record, layout)
            try:
                row = self._turn_row(line, number, record, layout)
                if layout.id and not given:
                    raise BadRecord("the row names no dialogue")
                unfinished.setdefault(given, []).append(row)
            except BadRecord as problem:
                yield self._reject(line, number, problem, record)
            waiting[given] -= 1
            if not waiting[given] and given in unfinished:
                yield self._grouped(given, unfinished.pop(given))

    def _turn_row(self, line: int, number: int, record: Any, layout: Layout) -> _TurnRow:
        if record.__class__ is Broken:
            raise BadRecord(record.reason)
        try:
            speaker, text = record[layout.other], record[layout.text]
        except (KeyError, TypeError):
            raise BadRecord(f"expected a turn with {layout.other!r} and {layout.text!r}") from None
        order = record.get(layout.order) if layout.order else None
        return _TurnRow(line, number, text_of(speaker, "speaker"), text_of(text, "text"), _number(order))

    def _grouped(self, given: str, rows: list[_TurnRow]) -> Event:
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
        dialogue.id = self._unique(given or str(first.number), bool(given))
        dialogue.original_id, dialogue.split = given or None, self._own.split
        self._tally.dialogues += 1
        return dialogue

    def _text(self) -> Iterator[Event]:
        style = self._own.form.text
        assert style is not None  # what `find_form` promises
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

    def _unique(self, name: str, is_given: bool) -> str:
        """`<file>/<id>`, with `~2` and so on where the file uses an id again."""
        if not is_given and not self._ids:  # numbers by themselves are unique: nothing to remember
            self._numbered = int(name)
            return f"{self._name}/{name}"
        used_before = name.isdecimal() and int(name) <= self._numbered  # as the number of an earlier record
        count = self._ids.get(name, int(used_before)) + 1
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
        self._first = self._first if len(self._first) >= 3 else [*self._first, rejected]
        if self._tally.rejected == self._tally.records == HOPELESS:
            reasons = "; ".join(str(r) for r in self._first)
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
