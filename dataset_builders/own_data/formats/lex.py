"""Amazon Lex: sample utterances of a bot exported from Lex V2 (ZIP of many JSON files) or V1 (one JSON file).

Most utterances of a bot hold slots, such as "a room in {City}". They are kept as written, since without them little of
a bot would be left; `metadata` lists the slots, so that one can leave these rows out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts, present
from dataset_builders.own_data.messages import Item, LabelledText
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

_INTENT_KEYS = {"parentIntentSignature", "intentClosingSetting", "intentConfirmationSetting", "slotPriorities"}
_SLOT = re.compile(r"\{(\w+)\}")


def recognises(probe: Probe) -> bool:
    """Whether it is an intent of V2, with `sampleUtterances` and settings of intents, or a bot or intent of V1."""
    content = as_dict(probe.json)
    if {"name", "sampleUtterances"} <= content.keys() and _INTENT_KEYS & content.keys():
        return True
    is_v1 = as_dict(content.get("metadata")).get("importType") == "LEX" or "checksum" in as_dict(
        content.get("resource")
    )
    return is_v1 and any(isinstance(intent.get("sampleUtterances"), list) for intent in _intents(content))


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The other files of a bot of V2: all below the folder of the bot, and the manifest, except its intents."""
    place = PurePosixPath(file.name)
    if place.name != "Intent.json":
        return ()
    bot = next((p.parent.parent for p in place.parents if p.name == "BotLocales"), place.parent.parent.parent)
    prefix = "" if bot == PurePosixPath(".") else f"{bot}/"
    return tuple(
        f
        for f in files
        if f != file and f.name.startswith(prefix) and f.name.endswith(".json") and not f.name.endswith("/Intent.json")
    )


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each sample utterance of each intent."""
    content = as_dict(export.json())
    language = as_text(as_dict(content.get("resource")).get("locale")) or _locale(PurePosixPath(export.file.name))
    for intent in _intents(content):
        utterances = intent.get("sampleUtterances")
        for utterance in utterances if isinstance(utterances, list) else []:
            text = as_text(utterance) or as_text(as_dict(utterance).get("utterance"))
            label = as_text(intent.get("name"))
            if not text or not label:
                yield bad_item("an utterance of an intent with a name", utterance)
            else:
                slots = _SLOT.findall(text)
                yield LabelledText(text, label, language=language, metadata=present(slots=slots))


def _intents(content: dict[str, Any]) -> list[dict[str, Any]]:
    resource = as_dict(content.get("resource")) or content
    return dicts(resource.get("intents")) or [resource]


def _locale(place: PurePosixPath) -> str | None:
    """Language of a file of V2: `.../BotLocales/en_US/Intents/...`."""
    parts = place.parts
    after = parts[parts.index("BotLocales") + 1 :] if "BotLocales" in parts else ()
    return after[0].replace("_", "-") if after else None


FORMAT = Format(
    name="lex",
    title="Amazon Lex V2 (ZIP) and V1, JSON",
    rows="intents",
    looks=(
        (
            "Bot/BotLocales/en_US/Intents/Book/Intent.json",
            '{"name": "Book", "sampleUtterances": [{"utterance": "..."}]}',
        ),
        ("Bot_1_Export.json", '{"metadata": {"importType": "LEX"}, "resource": {"intents": [{"name": "Book", ...}]}}'),
    ),
    checked=(
        "docs.aws.amazon.com/lexv2/latest/dg/import-export-format.html, docs.aws.amazon.com/lex/latest/dg/"
        "import-export-format.html"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
)
