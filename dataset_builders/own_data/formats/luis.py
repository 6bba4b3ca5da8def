"""Microsoft LUIS: an app exported as JSON (Versions > Export as JSON). Patterns are no utterances and are skipped."""

from __future__ import annotations

from collections.abc import Iterator

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text
from dataset_builders.own_data.messages import Item, LabelledText
from dataset_builders.own_data.probe import Probe

_NONE = "None"
"""Intent of what belongs to no other; every app has it."""


def recognises(probe: Probe) -> bool:
    """Whether it has a `luis_schema_version` and utterances."""
    app = as_dict(probe.json)
    return "luis_schema_version" in app and ("utterances" in app or "intents" in app or not probe.is_whole)


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each utterance; those of the intent `None` are out of scope."""
    language = as_text(as_dict(export.json()).get("culture")) or None
    for line, utterance in export.items("utterances"):
        text, intent = (as_text(as_dict(utterance).get(key)) for key in ("text", "intent"))
        if text and intent:
            yield LabelledText(text, intent, line=line, is_out_of_scope=intent == _NONE, language=language)
        else:
            yield bad_item("an utterance with `text` and `intent`", utterance, line)


FORMAT = Format(
    name="luis",
    title="Microsoft LUIS, JSON",
    rows="intents",
    looks=(
        (
            "app.json",
            '{"luis_schema_version": "7.0.0", "culture": "en-us", "intents": [{"name": "greet"}, {"name": "None"}], '
            '"utterances": [{"text": "hello", "intent": "greet", "entities": []}]}',
        ),
    ),
    checked=(
        "learn.microsoft.com/azure/ai-services/luis/app-schema-definition; RasaHQ/rasa "
        "rasa/shared/nlu/training_data/formats/luis.py, data/examples/luis"
    ),
    recognises=recognises,
    read=read,
)
