"""Recognise files of own data: format, columns, roles and what orders the turns. What is not evident is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers.inputs import READ_ERRORS, extension, unreadable
from dataset_builders.own_data.containers.rows import open_rows
from dataset_builders.own_data.containers.text_encoding import detect_encoding, open_text
from dataset_builders.own_data.formats.registry import all_formats
from dataset_builders.own_data.messages import BadItem
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.own_file import OwnFile
from dataset_builders.own_data.plain.detect import HEAD_CHARACTERS, Form, find_form
from dataset_builders.own_data.plain.names import NAME_COLUMNS, Layout
from dataset_builders.own_data.plain.records import RecordParser, own_id
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.reading import HOPELESS, Reading
from dataset_builders.own_data.rejects import BadRecord, NotEvident, Rejected, Tally, one_line
from dataset_builders.own_data.split_names import SPLIT_WORDS
from dataset_builders.own_data.turns import speakers
from dataset_builders.own_data.turns.times import DateOrder, clock_seconds, find_order, seconds
from dataset_builders.sources.raw_files import RawFile

_SKIP_HINT = "; to leave out files that cannot be read, pass skip_bad_files=True (--skip-bad-files)"

_SHOWN_SPEAKERS = 10

_SAMPLE = 1000
"""Number of records from which columns of times and splits are judged."""


def open_all(
    data: Sequence[RawFile], others: Sequence[RawFile], options: Options, skip_bad: bool
) -> tuple[list[OwnFile], list[Rejected]]:
    """Recognise the encoding, format and kind of rows of each file.

    Args:
        data: Files to read.
        others: More files, which a format may read together with one of `data`.
        options: Options of the user.
        skip_bad: Whether a file that cannot be read is skipped.

    Returns:
        The files, those of one export together, and the skipped ones.

    Raises:
        DataError: A file is empty, not text, or in no supported form, or what it holds is not evident.
    """
    opened: list[OwnFile] = []
    skipped: list[Rejected] = []
    recognised: dict[RawFile, OwnFile | DataError] = {}
    for file in data:
        try:
            with _named_errors(file):
                recognised[file] = _recognise(file, options, [*data, *others])
        except DataError as error:
            recognised[file] = error
    in_exports = {c for own in recognised.values() if isinstance(own, OwnFile) for c in own.companions}
    read: set[RawFile] = set()
    for file, own in recognised.items():
        is_other = isinstance(own, DataError) or own.format is None
        if file in read or (is_other and file in in_exports):  # is read with another file
            continue
        try:
            if isinstance(own, DataError):
                raise own
            with _named_errors(file):
                own = _with_columns(own)
                own = own if own.is_intents else replace(own, answering=_find_answering(own))
        except DataError as error:
            if not skip_bad:
                raise DataError(f"{error}{_SKIP_HINT if len(data) > 1 else ''}") from error
            skipped.append(Rejected(file.name, None, None, one_line(str(error).removeprefix(f"{file}: "))))
            continue
        opened.append(own)
        read.update(own.files)
    _check_speakers(opened, options)
    return opened, skipped


def _check_speakers(files: Sequence[OwnFile], options: Options) -> None:
    """Check that the speakers that the user named occur.

    Raises:
        DataError: One of them speaks in none of the files; names some who do.
    """
    missing = {name.strip().casefold(): name for name in options.system_speaker}
    others: dict[str, None] = {}
    dialogues = (own for own in files if not own.is_intents)
    for names in (names for own in dialogues for names in Reading(own, Tally()).speakers(with_roles=True)):
        for name in names:
            missing.pop(name.strip().casefold(), None)
            if len(others) < _SHOWN_SPEAKERS:
                others[name] = None
        if not missing:
            return
    if missing and others:
        name, shown = next(iter(missing.values())), ", ".join(others)[:200]
        raise DataError(
            f"system_speaker: nobody is called {name!r} (--system-speaker); speakers are, for example: {shown}"
        )


@contextmanager
def _named_errors(file: RawFile) -> Iterator[None]:
    """Name the file in the error about what it holds."""
    try:
        yield
    except BadRecord as problem:
        raise DataError(f"{file}: {one_line(str(problem))}") from problem
    except (*READ_ERRORS, UnicodeError) as error:
        raise unreadable(file, error) from error


def _recognise(file: RawFile, options: Options, files: Sequence[RawFile]) -> OwnFile:
    rows = open_rows(file)
    encoding = "" if rows else options.encoding or detect_encoding(file)
    named = next((f for f in all_formats() if f.name == options.format), None)
    probe = Probe(file, encoding, rows)
    layout = named
    if named is None and options.format is None and not options.columns:
        layout = next((f for f in all_formats() if f.recognises(probe)), None)
    if layout:
        companions = layout.companions(file, files)
        form = Form("format", rows=rows)
        return OwnFile(file, options, encoding, form, layout.rows == "intents", layout, tuple(companions))
    if rows:
        return OwnFile(file, options, encoding, Form("rows", rows=rows), is_intents=False)
    with open_text(file, encoding) as stream:
        head = stream.read(HEAD_CHARACTERS)
    if "\0" in head and options.encoding:
        raise BadRecord(f"contains zero bytes, so it is not text in {encoding}")
    form = find_form(head, len(head) < HEAD_CHARACTERS, extension(file.name), options)
    return OwnFile(file, options, encoding, form, is_intents=False)


def _with_columns(own: OwnFile) -> OwnFile:
    """The file with the columns of its first usable record, and those columns that are not what they are called.

    Raises:
        BadRecord: None of the first `HOPELESS` records is usable, or the order of the turns is not evident.
    """
    if own.format:
        _check_items(own)
    if own.form.name in ("text", "format"):
        return own
    sample = list(islice(Reading(own, Tally()).raw(), _SAMPLE))
    first = _first_layout(own, sample)
    own = replace(own, layout=first)
    records = [record for _, record in sample if isinstance(record, dict)]
    ignored: set[str] = set()
    split, time = first.split, first.time
    if split and not own.options.split_column and not _are_splits(r.get(split) for r in records):
        ignored.add(split)
    if first.kind == "row" and time and not first.order:
        order = _date_order(own, [record.get(time) for record in records])
        own = replace(own, options=replace(own.options, date_order=order))
        if not any(seconds(record.get(time), order) for record in records):
            clocks = [clock_seconds(record.get(time)) for record in records]
            if own.options.time_column and not any(clock is not None for clock in clocks):
                raise BadRecord(f"the column {time!r} holds no times that can be read, such as 2026-01-31 12:00")
            if not own.options.time_column:
                _check_clocks(time, [own_id(record, first) for record in records], clocks)
                ignored.add(time)
    own = replace(own, ignored=frozenset(ignored))
    layout = _first_layout(own, sample)
    if layout.kind != "row":
        _check_records(own, sample)
    return replace(own, layout=layout, is_intents=layout.is_intent)


def _check_clocks(column: str, dialogues: Sequence[str], clocks: Sequence[float | None]) -> None:
    """Check that times of the day, if that is what the times are, do not contradict the order of the rows.

    Raises:
        BadRecord: They do.
    """
    last: dict[str, float] = {}
    for dialogue, clock in zip(dialogues, clocks, strict=True):
        if clock is not None and clock < last.get(dialogue, 0.0):
            raise NotEvident(
                f"the times in {column!r} have no day, and the rows are not in their order; say what orders the turns: "
                f"time_column (--time-column {column}) to take all times as those of one day, or turn_column"
            )
        last[dialogue] = clock or 0.0


def _check_records(own: OwnFile, sample: Sequence[tuple[int, Any]]) -> None:
    """Check that in some of the first `HOPELESS` records it is evident what is what.

    Raises:
        NotEvident: In none of them.
    """
    parser = RecordParser(own.options, answering=own.options.answering, ignored=own.ignored)
    for line, record in sample[:HOPELESS]:
        try:
            parser.parse(record, parser.layout(Reading.good(record)))
        except NotEvident as problem:
            first = NotEvident(f"line {line}: {problem}")
        except BadRecord:
            return
        else:
            return
    raise first


def _check_items(own: OwnFile) -> None:
    """Check that some of the first `HOPELESS` items of a format are usable.

    Raises:
        BadRecord: None is; the message has the first reasons.
    """
    assert own.format is not None
    problems: list[str] = []
    for item in islice(own.format.read(own.export), HOPELESS):
        if not isinstance(item, BadItem):
            return
        problems.append(f"{f'line {item.line}: ' if item.line else ''}{item.reason}")
    if problems:
        raise BadRecord("; ".join(list(dict.fromkeys(problems))[:3]))


def _first_layout(own: OwnFile, sample: list[tuple[int, Any]]) -> Layout:
    parser = RecordParser(own.options, ignored=own.ignored)
    problems: list[str] = []
    for line, record in sample[:HOPELESS]:
        try:
            return parser.layout(Reading.good(record))
        except NotEvident:
            raise
        except BadRecord as problem:
            problems.append(f"line {line}: {problem}")
    if not problems:
        raise BadRecord("it holds no records")
    raise BadRecord(f"no record can be used: {'; '.join(problems[:3])}; {NAME_COLUMNS}")


def _are_splits(values: Iterable[Any]) -> bool:
    words = {str(value).strip().lower() for value in values if value not in (None, "")}
    return bool(words) and words <= SPLIT_WORDS.keys()


def _date_order(own: OwnFile, values: list[Any]) -> DateOrder | None:
    return own.options.date_order or find_order(value for value in values if isinstance(value, str))


def _find_answering(own: OwnFile) -> frozenset[str]:
    """The name that answers, if names alone do not show the roles but one name is in every conversation.

    Raises:
        BadRecord: In none of the first conversations it is evident who answers.
    """
    if own.options.system_speaker:
        return own.options.answering
    sample = list(islice(Reading(own, Tally()).speakers(), _SAMPLE))
    problems = [problem for names in sample if (problem := _problem(names))]
    by_words = any(speakers.side(name) for names in sample for name in names)
    if by_words or not problems:
        return frozenset()
    answering = speakers.find_answering(Reading(own, Tally()).speakers())
    if not answering and len(problems) == len(sample):
        raise problems[0]
    return answering


def _problem(names: list[str]) -> BadRecord | None:
    try:
        speakers.assign(names)
    except BadRecord as problem:
        return problem
    return None
