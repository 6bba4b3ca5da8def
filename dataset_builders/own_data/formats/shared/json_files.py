"""Records of files that are JSON Lines, a list of records, a single record, or a table such as parquet."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from dataset_builders.own_data.containers.inputs import extension
from dataset_builders.own_data.export import Export
from dataset_builders.own_data.messages import BadItem, Conversation, Item
from dataset_builders.own_data.plain.json_records import Broken, Raw, read_document, read_lines
from dataset_builders.own_data.plain.names import DOMAINS, LANGUAGE, RECORD_ID, SCENARIO, SPLIT, plain
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord

Fits = Callable[[dict[str, Any]], bool]
"""Whether an object has the keys of a record of a format."""

_LONGEST_METADATA = 1000
"""Number of characters of a value, as JSON, from which it is no metadata but data of its own."""


def first_records(probe: Probe, fits: Fits) -> list[Any]:
    """The first records of a file, as `read_records` reads them; the last one may lack keys."""
    records = probe.records
    if len(records) == 1 and isinstance(records[0], dict) and not fits(records[0]):
        lists = (value for value in records[0].values() if isinstance(value, list))
        records = next((values for values in lists if values and isinstance(values[0], dict)), [])
    return records


def most_fit(probe: Probe, fits: Fits) -> bool:
    """Whether the first record of a file fits, and most of the others that were read."""
    records = first_records(probe, fits)
    number = sum(isinstance(record, dict) and fits(record) for record in records)
    return bool(records) and isinstance(records[0], dict) and fits(records[0]) and 2 * number > len(records)


def read_records(
    export: Export, fits: Fits, convert: Callable[[dict[str, Any]], Iterable[Conversation]], expected: str
) -> Iterator[Item]:
    """The conversations of the records of a file, one record in memory at a time.

    Args:
        export: The file.
        fits: Whether an object has the keys of a record.
        convert: The conversations of a record that fits; it raises `BadRecord` if the record is not as expected.
        expected: What a record has, for the message: "`questions` and `answers`".
    """
    for line, record in raw_records(export, fits):
        if isinstance(record, Broken):
            yield BadItem(record.reason, record.text, line)
            continue
        try:
            if not isinstance(record, dict) or not fits(record):
                raise BadRecord(f"expected an object with {expected}")
            for conversation in convert(record):
                conversation.line = line
                yield conversation
        except BadRecord as problem:
            yield BadItem(str(problem), record, line)


def about(record: dict[str, Any], *used: str) -> dict[str, Any]:
    """What a record says about its conversation, as arguments of `Conversation`.

    Args:
        record: The record.
        used: Keys that hold the conversation itself.

    Returns:
        Arguments `id`, `scenario`, `domains`, `language`, `split` and `metadata`.
    """
    *keys, rest = _places(tuple(record), used)
    own_id, scenario, domains, language, split = (record[key] if key is not None else None for key in keys)
    return {
        "id": id_of(own_id),
        "scenario": text_or_none(scenario),
        "domains": [text for text in (domains if isinstance(domains, list) else [domains]) if isinstance(text, str)],
        "language": language if isinstance(language, str) else None,
        "split": text_or_none(split) or "",
        "metadata": metadata(record, *rest),
    }


def metadata(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The values of some keys of a record that say something and are short."""
    return {key: value for key in keys if (value := record.get(key)) not in (None, "", [], {}) and _is_short(value)}


def _is_short(value: Any) -> bool:
    if isinstance(value, list | dict):
        value = json.dumps(value, default=str)
    return not isinstance(value, str) or len(value) <= _LONGEST_METADATA


@functools.lru_cache(maxsize=1024)
def _places(keys: tuple[str, ...], used: tuple[str, ...]) -> tuple[Any, ...]:
    """Keys of the id, the scenario, the domains, the language and the split, and a tuple of the others."""
    left = {plain(key): key for key in reversed(keys) if key not in used}
    places = []
    for names in (RECORD_ID, (*SCENARIO, "system"), DOMAINS, LANGUAGE, SPLIT):
        name = next((name for name in names if name in left), None)
        places.append(left.pop(name) if name is not None else None)
    others = set(left.values())
    return (*places, tuple(key for key in keys if key in others))


def id_of(value: Any) -> str:
    """The id of a JSON value; empty if it is none."""
    if isinstance(value, float) and value.is_integer():  # spreadsheets export 7 as 7.0
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(str(value).split())[:200]


def text_or_none(value: Any) -> str | None:
    """The value if it is a text with a visible character."""
    return value if isinstance(value, str) and value.strip() else None


def raw_records(export: Export, fits: Fits) -> Iterator[Raw]:
    """The records of a file with their lines; a `Broken` for a line that is not valid JSON."""
    if export.rows is not None:
        return export.rows.read()
    if export.rows is not None:
        return export.rows.read()
    if _has_a_record_per_line(export):
        return read_lines(export.file, export.encoding)
    return read_document(export.file, export.encoding, fits)


def _has_a_record_per_line(export: Export) -> bool:
    first = list(islice((line for _, line in export.lines() if line.strip()), 2))
    if not first or first[0].strip() in ("[", "{"):
        return False
    if extension(export.file.name) in (".jsonl", ".ndjson"):
        return True
    try:
        return len(first) == 2 and isinstance(json.loads(first[0]), dict)
    except (ValueError, RecursionError):
        return False
