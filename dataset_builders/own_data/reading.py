"""One pass over a file: raw records, rows of turns, lines or the items of a format become rows and rejected records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers.cells import turn_columns, with_lists
from dataset_builders.own_data.containers.inputs import READ_ERRORS, unreadable
from dataset_builders.own_data.containers.text_encoding import is_damaged, open_text
from dataset_builders.own_data.messages import BadItem, Conversation, LabelledText, Message
from dataset_builders.own_data.name_counts import NameCounts
from dataset_builders.own_data.own_file import OwnFile
from dataset_builders.own_data.pair import Pair
from dataset_builders.own_data.plain import json_records, plain_text, tabular
from dataset_builders.own_data.plain.json_records import Broken, Raw
from dataset_builders.own_data.plain.names import Layout
from dataset_builders.own_data.plain.records import (
    RecordParser,
    label_of,
    mark_prompts,
    own_id,
    text_of,
)
from dataset_builders.own_data.plain.values import lifted, metadata_of
from dataset_builders.own_data.rejects import BadRecord, Rejected, Tally, one_line, shorten
from dataset_builders.own_data.split_names import split_name
from dataset_builders.own_data.turns.conversations import dialogues_of, speakers_of
from dataset_builders.own_data.turns.sessions import cut_by_time
from dataset_builders.own_data.turns.times import clock_seconds, seconds
from dataset_builders.schema import ALL, Dialogue, Utterance

Event = Dialogue | Utterance | Rejected

HOPELESS = 100
"""Reading a file stops if its first `HOPELESS` records are all bad."""

_MAX_VALUES = 100
"""Maximum number of different values of a column in the rows of one dialogue that become its metadata."""


def read_rows(own: OwnFile, tally: Tally) -> Iterator[Event]:
    """The rows and the rejected records of a file, in its order.

    Args:
        own: The file.
        tally: Counts to increase.

    Raises:
        DataError: The file is damaged, or its first `HOPELESS` records are all bad.
    """
    return (event.dialogue() if isinstance(event, Pair) else event for event in read_light_rows(own, tally))


def read_light_rows(own: OwnFile, tally: Tally) -> Iterator[Event | Pair]:
    """As `read_rows`, but with `Pair` objects in place of dialogues that are a question and an answer."""
    try:
        yield from Reading(own, tally).events()
    except READ_ERRORS as error:
        raise unreadable(own.file, error) from error


class Reading:
    """One pass over a file.

    Args:
        own: The file.
        tally: Counts to increase.
    """

    def __init__(self, own: OwnFile, tally: Tally) -> None:
        self._own, self._tally = own, tally
        self._name = own.file.name
        self._parser = RecordParser(own.options, tally, own.answering, own.ignored)
        self._ids = NameCounts()
        self._numbered = 0
        self._first_rejected: list[Rejected] = []

    def events(self) -> Iterator[Event | Pair]:
        """The rows and the rejected records, in the order of the file."""
        if not self._own.is_single:
            yield from self._events()
            return
        for event in self._events():
            parts = cut_by_time(event) if isinstance(event, Dialogue) else []
            if len(parts) < 2:
                yield event
                continue
            self._tally.dialogues += len(parts) - 1
            yield from parts

    def _events(self) -> Iterator[Event | Pair]:
        own = self._own
        if own.format:
            yield from self._items(own.format.read(own.export))
        elif own.form.name == "text":
            yield from self._text()
        elif own.layout and own.layout.kind == "row":
            yield from self._rows_of_turns(own.layout)
        else:
            yield from self._records()

    def raw(self) -> Iterator[Raw]:
        """The raw records of a file that is neither text nor in a format, each with its line."""
        own = self._own
        if own.form.rows is not None:
            records = own.form.rows.read()
        elif own.form.table:
            columns = turn_columns(own.form.table.columns)
            records = tabular.read_table(own.file, own.encoding, own.form.table)
            records = with_lists(records, columns) if columns else records
        elif own.form.name == "jsonl":
            records = json_records.read_lines(own.file, own.encoding)
        else:
            records = json_records.read_document(own.file, own.encoding, self._parser.is_record)
        if not any("." in column for column in own.options.columns.values()):
            return records
        return ((line, lifted(record, own.options)) for line, record in records)

    @staticmethod
    def good(record: Any) -> Any:
        """The record itself.

        Raises:
            BadRecord: It could not be parsed.
        """
        if record.__class__ is Broken:
            raise BadRecord(record.reason)
        return record

    def speakers(self, with_roles: bool = False) -> Iterator[list[str]]:
        """Names of the speakers of each conversation, in the order in which they first speak; bad ones are skipped.

        Args:
            with_roles: Whether conversations count in which the format says who answers.
        """
        own = self._own
        if own.format:
            items = own.format.read(own.export)
            for conversation in (item for item in items if isinstance(item, Conversation)):
                if with_roles:
                    yield list(dict.fromkeys(message.speaker for message in conversation.messages))
                elif not any(message.role for message in conversation.messages):
                    yield speakers_of(conversation)
        elif own.form.name == "text":
            yield from (list(dict.fromkeys(name for name, _ in block.turns)) for block in self._blocks())
        elif own.layout and own.layout.kind == "row":
            yield from self._speakers_of_rows(own.layout)
        elif own.layout and own.layout.kind == "turns":
            for _, record in self.raw():
                try:
                    conversation = self._parser.conversation(record, self._layout(record))
                except BadRecord:
                    continue
                yield speakers_of(conversation)

    def _speakers_of_rows(self, layout: Layout) -> Iterator[list[str]]:
        by_dialogue: dict[str, dict[str, None]] = {}
        for _, record in self.raw():
            if isinstance(record, dict) and isinstance(speaker := record.get(layout.other), str | int):
                by_dialogue.setdefault(_dialogue_id(record, layout), {})[str(speaker).strip()] = None
        yield from (list(names) for names in by_dialogue.values())

    def _layout(self, record: Any) -> Layout:
        return self._parser.layout(self.good(record))

    def _records(self) -> Iterator[Event | Pair]:
        """The rows of a file in which each record makes its own rows."""
        tally, parse, is_intents = self._tally, self._parser.parse, self._own.is_intents
        pair_texts, own_split = self._parser.pair_texts, self._own.split
        latest, is_pair = None, False
        good, layout_of = self.good, self._parser.layout
        for number, (line, record) in enumerate(self.raw(), start=1):
            tally.records += 1
            try:
                layout = layout_of(good(record))
                if layout.kind == "row" or layout.is_intent != is_intents:
                    what = "labelled utterances" if is_intents else "dialogues"
                    raise BadRecord(f"the file holds {what}, this record is something else")
                if layout is not latest:
                    latest, is_pair = layout, layout.is_bare_pair
                texts = pair_texts(record, layout) if is_pair else None
                rows = parse(record, layout) if texts is None else ()
                split = split_name(record[layout.split]) if texts and layout.split else ""
            except BadRecord as problem:
                yield self._reject(line, number, problem, record)
                continue
            original_id = own_id(record, layout) if layout.id else ""
            if texts is None:
                yield from self._numbered_rows(rows, original_id, number)
                continue
            tally.dialogues += 1
            metadata = metadata_of({key: record[key] for key in layout.rest}) if layout.rest else None
            name = self._row_id(original_id, number)
            yield Pair(name, split or own_split, texts[0], texts[1], original_id or None, metadata)

    def _items(self, items: Iterable[Conversation | LabelledText | BadItem]) -> Iterator[Event]:
        """The rows of what a format yields."""
        for number, item in enumerate(items, start=1):
            self._tally.records += 1
            try:
                if isinstance(item, BadItem):
                    raise BadRecord(item.reason)
                rows = self._rows_of(item)
            except BadRecord as problem:
                record = item.record if isinstance(item, BadItem) else _shown(item)
                yield self._reject(item.line, number, problem, record)
                continue
            yield from self._numbered_rows(rows, item.id, number)

    def _rows_of(self, item: Conversation | LabelledText) -> list[Dialogue] | list[Utterance]:
        """The rows of an item, with its split and metadata."""
        metadata, split = metadata_of(item.metadata), split_name(item.split) or ALL
        if isinstance(item, Conversation):
            rows = list(dialogues_of(item, self._own.options, self._tally, self._own.answering))
            for row in rows:
                row.metadata, row.split = metadata, split
            return rows
        text = text_of(item.text, "utterance")
        if not text:
            raise BadRecord("the utterance is empty")
        label, is_out = label_of(item.label)
        is_out = is_out or item.is_out_of_scope
        utterance = Utterance("", split, text, label, item.scenario, is_out, item.language)
        utterance.metadata = metadata
        return [utterance]

    def _numbered_rows(self, rows: Iterable[Dialogue | Utterance], original_id: str, number: int) -> Iterator[Event]:
        """The rows of one record with their ids and splits."""
        rows = list(rows)
        name = self._row_id(original_id, number)
        for part, row in enumerate(rows, start=1):
            row.id = name if len(rows) == 1 else f"{name}.{part}"
            if row.split == ALL:
                row.split = self._own.split
            if isinstance(row, Dialogue):
                row.original_id = original_id or None
                self._tally.dialogues += 1
            else:
                self._tally.utterances += 1
            yield row

    def _rows_of_turns(self, layout: Layout) -> Iterator[Event]:
        """The dialogues of a file with one row per turn, possibly interleaved.

        A first pass counts the rows of each dialogue. So a dialogue is complete with its last row, and only
        unfinished dialogues are in memory.
        """
        remaining = NameCounts()
        for _, record in self.raw():
            remaining.add(_dialogue_id(record, layout))
        unfinished: dict[str, list[_TurnRow]] = {}
        for number, (line, record) in enumerate(self.raw(), start=1):
            self._tally.records += 1
            dialogue_id = _dialogue_id(record, layout)
            try:
                row = self._turn_row(line, number, record, layout)
                if layout.id and not dialogue_id:
                    raise BadRecord("the row names no dialogue")
                unfinished.setdefault(dialogue_id, []).append(row)
            except BadRecord as problem:
                yield self._reject(line, number, problem, record)
            if not remaining.add(dialogue_id, -1) and dialogue_id in unfinished:
                yield from self._grouped(dialogue_id, unfinished.pop(dialogue_id), layout)
        for dialogue_id, rows in unfinished.items():  # two ids with the same hash
            yield from self._grouped(dialogue_id, rows, layout)

    def _turn_row(self, line: int, number: int, record: Any, layout: Layout) -> _TurnRow:
        self.good(record)
        try:
            speaker, text = record[layout.other], record[layout.text]
        except (KeyError, TypeError):
            raise BadRecord(f"expected a turn with {layout.other!r} and {layout.text!r}") from None
        time = None
        if layout.time and layout.time not in self._own.ignored and (value := record.get(layout.time)):
            time = seconds(value, self._own.options.date_order)
            if time is None and self._own.options.time_column:
                time = clock_seconds(value)
            if time is None and not layout.order:
                raise BadRecord(f"{layout.time} is {str(value)[:40]!r}, which is no time like those of the other rows")
        message = Message(text_of(speaker, "speaker"), text_of(text, "text"), time)
        order = _number(record.get(layout.order)) if layout.order else None
        return _TurnRow(line, number, message, order, record)

    def _grouped(self, original_id: str, rows: list[_TurnRow], layout: Layout) -> Iterator[Event]:
        """The dialogues of these rows, in the order of the turn numbers if each row has its own, else of the times."""
        first = rows[0]
        orders = [row.order for row in rows if row.order is not None]
        if len(set(orders)) == len(rows):
            rows = sorted(rows, key=lambda row: row.order or 0)
        conversation = Conversation(mark_prompts([row.message for row in rows], False))
        try:
            if layout.split:
                splits = {split_name(row.record.get(layout.split)) for row in rows}
                if len(splits) > 1:
                    raise BadRecord(f"its turns are in several splits: {', '.join(sorted(splits))}")
                conversation.split = splits.pop()
            dialogues = list(dialogues_of(conversation, self._own.options, self._tally, self._own.answering))
        except BadRecord as problem:
            rejected = self._reject(first.line, first.number, problem, f"{first.message.speaker}: {first.message.text}")
            self._tally.rejected += len(rows) - 1
            yield rejected
            return
        metadata = metadata_of({key: _common([row.record.get(key) for row in rows]) for key in layout.rest})
        for dialogue in dialogues:
            dialogue.metadata = metadata
        yield from self._numbered_rows(dialogues, original_id, first.number)

    def _blocks(self) -> Iterator[plain_text.Block]:
        style = self._own.form.text
        assert style is not None  # guaranteed by `find_form`
        with open_text(self._own.file, self._own.encoding) as lines:
            yield from plain_text.read_blocks(lines, style)

    def _text(self) -> Iterator[Event]:
        for number, block in enumerate(self._blocks(), start=1):
            self._tally.records += 1
            try:
                if block.problem or is_damaged(block.text):
                    raise BadRecord(block.problem or "holds bytes that are not text in this encoding")
                messages = mark_prompts([Message(name, text) for name, text in block.turns], False)
                options, answering = self._own.options, self._own.answering
                dialogues = list(dialogues_of(Conversation(messages), options, self._tally, answering))
            except BadRecord as problem:
                yield self._reject(block.line, number, problem, block.text)
                continue
            yield from self._numbered_rows(dialogues, "", number)

    def _row_id(self, original_id: str, number: int) -> str:
        """`<file>/<id>`, or `<file>/<record number>` without an id; `~2`, `~3` and so on mark repeated ids."""
        if not original_id and not self._ids:  # record numbers alone are unique and need no memory
            self._numbered = number
            return f"{self._name}/{number}"
        name = original_id or str(number)
        is_earlier_number = name.isdecimal() and 0 < int(name) <= self._numbered
        count = max(self._ids.add(name), 1 + is_earlier_number)
        while count > 1 and self._ids[f"{name}~{count}"]:
            count += 1
        if count > 1:
            self._ids[name] = count
            self._ids.add(f"{name}~{count}")
        return f"{self._name}/{name}" + (f"~{count}" if count > 1 else "")

    def _reject(self, line: int | None, number: int, problem: BadRecord, record: Any) -> Rejected:
        self._tally.rejected += 1
        text = record.text if isinstance(record, Broken) else shorten(record)
        rejected = Rejected(self._name, line, number, one_line(str(problem)), text)
        if len(self._first_rejected) < 3:
            self._first_rejected.append(rejected)
        if self._tally.rejected == self._tally.records == HOPELESS:
            reasons = "; ".join(map(str, self._first_rejected))
            raise DataError(f"{self._own.file}: its first {HOPELESS} records cannot be used: {reasons}")
        return rejected


@dataclass(frozen=True, slots=True)
class _TurnRow:
    line: int
    number: int
    message: Message
    order: float | None
    record: dict[str, Any]


def _dialogue_id(record: Any, layout: Layout) -> str:
    return own_id(record, layout) if layout.id and record.__class__ is dict else ""


def _number(value: Any) -> float | None:
    try:
        return float(value) if value is not None else None
    except (TypeError, ValueError):
        return None


def _common(values: list[Any]) -> Any:
    """The value of all rows of a dialogue, or the list of their values."""
    if all(value == values[0] for value in values):
        return values[0]
    return values[:_MAX_VALUES]


def _shown(item: Conversation | LabelledText) -> str:
    if isinstance(item, LabelledText):
        labels = item.label if isinstance(item.label, list) else [item.label]
        return "\t".join([item.text, *labels])
    return "; ".join(f"{message.speaker}: {message.text}" for message in item.messages[:5])
