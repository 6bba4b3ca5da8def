"""Snips NLU: a dataset of intents with utterances in parts, in JSON; also the files of the Snips benchmark of 2017."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import Item, LabelledText
from dataset_builders.own_data.probe import Probe


def recognises(probe: Probe) -> bool:
    """Whether it has `intents` with `utterances` in parts, or is a map of intents to such utterances."""
    intents = _intents(probe.json)
    return (
        bool(intents)
        and all(
            isinstance(utterances, list)
            and all(_is_utterance(each) for each in utterances[:-1])  # the last may be cut off
            for utterances in intents.values()
        )
        and any(_is_utterance(each) for utterances in intents.values() for each in utterances)
    )


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each utterance."""
    content = export.json()
    language = as_text(as_dict(content).get("language")) or None
    for intent, utterances in _intents(content).items():
        for utterance in utterances if isinstance(utterances, list) else [utterances]:
            parts = as_dict(utterance).get("data")
            if isinstance(parts, list):
                text = "".join(as_text(part.get("text")) for part in dicts(parts)).strip()
                yield LabelledText(text, intent, language=language)
            else:
                yield bad_item("an utterance with its parts in `data`", utterance)


def _intents(content: Any) -> dict[str, Any]:
    """The utterances of each intent."""
    intents = as_dict(as_dict(content).get("intents"))
    if intents:
        return {name: as_dict(intent).get("utterances") for name, intent in intents.items()}
    return as_dict(content)


def _is_utterance(value: Any) -> bool:
    """Whether it is nothing but parts: texts, some with an entity."""
    parts = as_dict(value).get("data")
    keys = {"text", "entity", "slot_name"}
    return isinstance(parts, list) and len(value) == 1 and all("text" in p and p.keys() <= keys for p in dicts(parts))


FORMAT = Format(
    name="snips",
    title="Snips NLU, JSON",
    rows="intents",
    looks=(
        (
            "train_GetWeather.json",
            '{"GetWeather": [{"data": [{"text": "is it "}, {"text": "hot", "entity": "condition"}]}]}',
        ),
        ("dataset.json", '{"language": "en", "intents": {"GetWeather": {"utterances": [{"data": [...]}]}}}'),
    ),
    checked=(
        "snips-nlu.readthedocs.io/en/latest/dataset.html; github.com/sonos/nlu-benchmark 2017-06-custom-intent-engines"
    ),
    recognises=recognises,
    read=read,
)
