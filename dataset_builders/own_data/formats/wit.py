"""wit.ai: utterances of an app (Settings > Export your data, ZIP): `utterances/*.json`, earlier `expressions.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import orjson

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

_FOLDERS = ("entities", "intents", "traits")


def recognises(probe: Probe) -> bool:
    """Whether it has `utterances` with `entities` and `traits`, or `data` with an entity `intent` in a text."""
    content = as_dict(probe.json)
    if any({"text", "entities", "traits"} <= utterance.keys() for utterance in dicts(content.get("utterances"))):
        return True
    expressions = dicts(content.get("data"))
    return len(content) == 1 and any(_quoted_intent(expression) for expression in expressions)


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other files of the app but those with utterances: `app.json`, intents, entities, traits."""
    place = PurePosixPath(file.name)
    app = place.parent.parent if place.parent.name == "utterances" else place.parent
    folders = {app / folder for folder in _FOLDERS}
    places = [(f, PurePosixPath(f.name)) for f in files if f != file and f.name.endswith(".json")]
    return tuple(f for f, p in places if p.parent in folders or p in (app / "app.json", app / "stories.json"))


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each utterance; without an intent it is out of scope."""
    language = _language(export)
    for line, utterance in export.items("utterances"):
        text, intent = (as_text(as_dict(utterance).get(key)) for key in ("text", "intent"))
        if not text:
            yield bad_item("an utterance with `text` and `intent`", utterance, line)
        else:
            label = intent or "out_of_scope"
            yield LabelledText(text, label, line=line, is_out_of_scope=not intent, language=language)
    for line, expression in export.items("data"):
        text, intent = as_text(as_dict(expression).get("text")), _quoted_intent(as_dict(expression))
        if text and intent:
            yield LabelledText(text, intent, line=line, language=language)
        else:
            yield BadItem("the expression has no entity `intent`", expression, line)


def _quoted_intent(expression: dict[str, Any]) -> str:
    r"""The value of the entity `intent`, which is a JSON string: `"\"weather\""`."""
    entities = dicts(expression.get("entities"))
    value = next((as_text(entity.get("value")) for entity in entities if entity.get("entity") == "intent"), "")
    try:
        return as_text(orjson.loads(value)).strip()
    except orjson.JSONDecodeError:
        return value.strip()


def _language(export: Export) -> str | None:
    file = next((f for f in export.companions if PurePosixPath(f.name).name == "app.json"), None)
    app = as_dict(export.json(file)) if file else {}
    return as_text(app.get("lang")) or as_text(as_dict(app.get("data")).get("lang")) or None


FORMAT = Format(
    name="wit",
    title="wit.ai, app as ZIP or folder",
    rows="intents",
    looks=(
        (
            "utterances/utterances-1.json",
            '{"utterances": [{"text": "hello", "entities": [], "traits": [], "intent": "greet"}]}',
        ),
        (
            "expressions.json",
            '{"data": [{"text": "hello", "entities": [{"entity": "intent", "value": "\\"greet\\""}]}]}',
        ),
    ),
    checked=(
        "wit.ai/docs/http (export); RasaHQ/rasa rasa/shared/nlu/training_data/formats/wit.py, data/examples/wit; "
        "exported apps dorado5115/Clonazepam, aibotsacademy/IngoHackathon2021, coderade/codebot-witai-settings"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
)
