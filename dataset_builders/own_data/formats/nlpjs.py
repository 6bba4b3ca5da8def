"""NLP.js: a corpus of intents with their utterances, in JSON. `tests` of an intent are the split `test`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe

_NONE = "None"
"""Intent of what belongs to no other."""


def recognises(probe: Probe) -> bool:
    """Whether it has a `locale`, and `data` of intents with a list of `utterances`."""
    corpus = as_dict(probe.json)
    intents = dicts(corpus.get("data"))
    return "locale" in corpus and any("intent" in each and _is_texts(each.get("utterances")) for each in intents)


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each utterance and test."""
    corpus = as_dict(export.json())
    language = as_text(corpus.get("locale")) or None
    split = "train" if any(intent.get("tests") for intent in dicts(corpus.get("data"))) else ""
    for line, record in export.items("data"):
        intent = as_dict(record)
        label = as_text(intent.get("intent"))
        if not label:
            yield bad_item("an `intent` with `utterances`", record, line)
            continue
        for key, of_split in (("utterances", split), ("tests", "test")):
            for text in intent[key] if isinstance(intent.get(key), list) else []:
                if isinstance(text, str):
                    is_out = label == _NONE
                    yield LabelledText(text, label, "", line, is_out_of_scope=is_out, language=language, split=of_split)
                else:
                    yield BadItem("expected a text", text, line)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


FORMAT = Format(
    name="nlpjs",
    title="NLP.js corpus, JSON",
    rows="intents",
    looks=(
        (
            "corpus-en.json",
            '{"name": "Tea", "locale": "en-US", "data": [{"intent": "greet", "utterances": ["hello"], "tests": []}]}',
        ),
    ),
    checked="github.com/axa-group/nlp.js docs/v4 (corpus) and examples/13-languages/corpora",
    recognises=recognises,
    read=read,
)
