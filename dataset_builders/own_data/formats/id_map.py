"""A map of dialogue ids to dialogues, as MultiWOZ and CrossWOZ have it: `{"SNG01.json": {"log": [...]}, ...}`.

Turns name their speakers, or none of them does (MultiWOZ's `log`): then they take turns, and the user begins.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from typing import Any

import ijson

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_files import about
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text
from dataset_builders.own_data.messages import Conversation, Item, Message
from dataset_builders.own_data.plain.names import DIALOGUE_ID, SPEAKER, TEXT, TIME, TURNS, is_column_name, plain
from dataset_builders.own_data.probe import LONG_NUMBER, Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns.times import seconds

_PARTS = {*("train", "training", "test", "testing", "dev", "val", "valid", "validation", "all", "data"), *TURNS}
_EXPECTED = "a list of turns with a text, on its own or below `log`, `turns` or `messages`"


def recognises(probe: Probe) -> bool:
    """Whether it is an object whose keys say nothing and whose values are all dialogues of the same kind."""
    entries = probe.json
    if not isinstance(entries, dict) or len(probe.records) > 1 or any(_says_something(key) for key in entries):
        return False
    values = list(entries.values())
    if probe.is_whole and len(values) < 2:
        return False
    values = values if probe.is_whole or len(values) == 1 else values[:-1]  # the last one may be cut off
    kinds = {_turns_key(value) if isinstance(value, dict) else "" for value in values}
    return len(kinds) == 1 and all(_is_dialogue(value) for value in values)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each entry of the map."""
    try:
        with _bytes(export) as stream:
            for key, value in ijson.kvitems(_Checked(stream, export), "", use_float=True):
                yield _conversation(key, value)
    except ijson.JSONError as error:
        raise DataError(f"{export.file}: not valid JSON ({' '.join(str(error).split())[:100]}); repair it") from error


class _Checked:
    """The bytes of a file without numbers at which ijson's C library ends the process."""

    def __init__(self, stream: Any, export: Export) -> None:
        self._stream, self._export = stream, export

    def read(self, size: int = -1) -> bytes:
        """Read bytes.

        Raises:
            DataError: They hold a number of more than a thousand digits.
        """
        content: bytes = self._stream.read(size)
        if LONG_NUMBER.search(content):
            raise DataError(f"{self._export.file}: a number of more than 1,000 digits; repair it")
        return content


def _bytes(export: Export) -> Any:
    """The file in UTF-8."""
    if export.encoding.lower().replace("_", "-") in ("utf-8", "ascii"):
        return export.bytes()
    with export.text() as stream:
        return io.BytesIO(stream.read().lstrip("\ufeff").encode("utf-8", "replace"))


def _says_something(key: str) -> bool:
    return plain(key) in _PARTS or is_column_name(key)


def _turns_key(value: dict[str, Any]) -> str | None:
    return next((key for key in value if plain(key) in TURNS and isinstance(value[key], list)), None)


def _turns(value: Any) -> list[Any] | None:
    """The turns of a dialogue; None if the value is none."""
    if isinstance(value, dict):
        key = _turns_key(value)
        value = value[key] if key is not None else None
    return value if isinstance(value, list) else None


def _is_dialogue(value: Any) -> bool:
    """Whether a value is a dialogue, as far as it was read: its last turn may be cut off."""
    turns = _turns(value)
    if not turns:
        return False
    if isinstance(value, dict):
        return all(isinstance(turn, str) for turn in turns) or all(map(_has_text, turns[:-1] or turns))
    # lists of texts without speakers are as often the examples of an intent, and lists of rows have ids of dialogues
    return all(_has_text(turn) and _key(turn, SPEAKER) and not _key(turn, DIALOGUE_ID) for turn in turns[:-1] or turns)


def _has_text(turn: Any) -> bool:
    return isinstance(turn, dict) and (key := _key(turn, TEXT)) is not None and isinstance(turn[key], str)


def _key(turn: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return _key_among(tuple(turn), names)


@functools.lru_cache(maxsize=1024)
def _key_among(keys: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    """The key with the first of some plain names; None if there is none."""
    by_name = {plain(key): key for key in reversed(keys)}
    return next((by_name[name] for name in names if name in by_name), None)


def _conversation(key: str, value: Any) -> Item:
    turns = _turns(value)
    if not turns:
        return bad_item(_EXPECTED, {key: value})
    try:
        messages = [_message(turn) for turn in turns]
    except BadRecord as problem:
        return bad_item(f"{_EXPECTED}: {problem}", {key: value})
    if not any(message.speaker for message in messages):
        for number, message in enumerate(messages):
            message.role = "system" if number % 2 else "user"
    used = [name for name in as_dict(value) if plain(name) in TURNS]
    details = about(as_dict(value), *used)
    return Conversation(messages, **{**details, "id": key})


def _message(turn: Any) -> Message:
    if isinstance(turn, str):
        return Message("", turn)
    text = _key(turn, TEXT) if isinstance(turn, dict) else None
    if text is None:
        raise BadRecord("a turn has no text")
    speaker, time = _key(turn, SPEAKER), _key(turn, TIME)
    return Message(
        as_text(turn[speaker]) if speaker else "", as_text(turn[text]), seconds(turn[time]) if time else None
    )


FORMAT = Format(
    name="id-map",
    title="map of ids to dialogues (MultiWOZ, CrossWOZ and others), JSON",
    rows="dialogues",
    looks=(
        ("data.json", '{"SNG01.json": {"goal": {...}, "log": [{"text": "...", "metadata": {}}, ...]}, ...}'),
        ("dialogues.json", '{"dlg-1": [{"speaker": "user", "text": "..."}, ...], "dlg-2": [...]}'),
    ),
    checked="the files of MultiWOZ 2.1 (ConvLab-2) and of thu-coai/CrossWOZ",
    recognises=recognises,
    read=read,
    roles="the names of the speakers; without names the user begins",
)
