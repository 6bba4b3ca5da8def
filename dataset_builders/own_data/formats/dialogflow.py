"""Dialogflow ES: the training phrases of an exported agent (Settings > Export and import > Export as ZIP).

An intent has a file `intents/NAME.json` and a file of phrases for each language: `intents/NAME_usersays_en.json`. In
agents of api.ai the phrases are in the intent's file, under `userSays`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

_PHRASES = re.compile(r"(?P<intent>.+)_usersays_(?P<language>[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)\.json")


def recognises(probe: Probe) -> bool:
    """Whether it is a list of phrases in parts, or an intent with such a list under `userSays`."""
    content = probe.json
    phrases = dicts(content) or dicts(as_dict(content).get("userSays"))
    return any(_is_phrase(phrase) for phrase in phrases)


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other files of the agent but those with phrases: its settings, entities and intents."""
    folder = PurePosixPath(file.name).parent
    folders = {folder.parent, folder.parent / "entities"} if folder.name == "intents" else set()
    if _PHRASES.fullmatch(PurePosixPath(file.name).name):
        folders.add(folder)
    places = [(f, PurePosixPath(f.name)) for f in files if f != file]
    return tuple(f for f, p in places if p.parent in folders and p.suffix == ".json" and not _PHRASES.fullmatch(p.name))


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each phrase; those of fallback intents are out of scope."""
    name = PurePosixPath(export.file.name).name
    content = export.json()
    match = _PHRASES.fullmatch(name)
    language = match["language"] if match else None
    intent = content if isinstance(content, dict) else _intent(export, f"{match['intent']}.json" if match else "")
    label = as_text(intent.get("name")) or (match["intent"] if match else name.removesuffix(".json"))
    phrases = content if isinstance(content, list) else as_dict(content).get("userSays")
    for phrase in phrases if isinstance(phrases, list) else []:
        parts = as_dict(phrase).get("data")
        if not isinstance(parts, list):
            yield bad_item("a training phrase with its parts in `data`", phrase)
        elif phrase.get("isTemplate"):
            yield BadItem("a template with names of entities in place of words", _text(parts))
        else:
            yield LabelledText(
                _text(parts),
                label,
                id=as_text(phrase.get("id")),
                is_out_of_scope=intent.get("fallbackIntent") is True,
                language=as_text(phrase.get("lang")) or language,
            )


def _is_phrase(phrase: dict[str, Any]) -> bool:
    parts = phrase.get("data")
    return "isTemplate" in phrase and "count" in phrase and any("text" in part for part in dicts(parts))


def _intent(export: Export, name: str) -> dict[str, Any]:
    file = next((f for f in export.companions if PurePosixPath(f.name).name == name), None)
    return as_dict(export.json(file)) if file else {}


def _text(parts: list[Any]) -> str:
    return "".join(as_text(part.get("text")) for part in dicts(parts)).strip()


FORMAT = Format(
    name="dialogflow",
    title="Dialogflow ES, agent as ZIP or folder",
    rows="intents",
    looks=(
        (
            "intents/greet_usersays_en.json",
            '[{"id": "...", "data": [{"text": "hello"}], "isTemplate": false, "count": 0}]',
        ),
        ("intents/greet.json", '{"name": "greet", "responses": [...], "fallbackIntent": false}'),
        ("intents/greet.json (api.ai)", '{"name": "greet", "userSays": [{"data": [{"text": "hello"}], ...}]}'),
    ),
    checked=(
        "cloud.google.com/dialogflow/es/docs/agents-settings (export); RasaHQ/rasa "
        "rasa/shared/nlu/training_data/formats/dialogflow.py, data/examples/dialogflow, data/examples/api_legacy"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
)
