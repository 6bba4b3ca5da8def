"""Rasa: examples of intents, in YAML (2.0 and later), Markdown (1.x) or JSON (`rasa_nlu_data`).

Synonyms, regular expressions and lookup tables are no utterances and are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text
from dataset_builders.own_data.formats.shared.rasa_markup import without_entities
from dataset_builders.own_data.formats.shared.yaml_nodes import compose, elements, line_of, mapping, scalar, value_at
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe

if TYPE_CHECKING:
    from yaml.nodes import Node

_YAML = re.compile(r"^nlu:[ \t]*(?:#.*)?$", re.MULTILINE)
_YAML_INTENT = re.compile(r"^\s*-\s+(?:intent|synonym|regex|lookup):", re.MULTILINE)
_MARKDOWN = re.compile(r"^##\s*intent:\s*\S+\s*\n+\s*[-*+]\s", re.MULTILINE)
_SECTION = re.compile(r"##\s*(?:(?P<kind>intent|synonym|regex|lookup):)?\s*(?P<name>.*)")
_EXAMPLE = re.compile(r"\s*[-*+]\s+(?P<text>.*)")
_OTHERS = ("synonym", "regex", "lookup")
_LISTS = ("common_examples", "intent_examples")


def recognises(probe: Probe) -> bool:
    """Whether it has a section `nlu:` of intents, a heading `## intent:` with a list, or `rasa_nlu_data`."""
    if "rasa_nlu_data" in as_dict(probe.json):
        return any(isinstance(as_dict(probe.json["rasa_nlu_data"]).get(key), list) for key in _LISTS)
    return bool(_YAML.search(probe.text) and _YAML_INTENT.search(probe.text)) or bool(_MARKDOWN.search(probe.text))


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each example."""
    with export.text() as stream:
        head = next((line.lstrip("\ufeff \t") for line in stream if line.strip("\ufeff \t\n")), "")
        stream.seek(0)
        is_markdown = not head.startswith("{") and bool(_MARKDOWN.search(text := stream.read()))
    if head.startswith("{"):
        yield from _from_json(export)
    elif is_markdown:
        yield from _from_markdown(export)
    else:
        yield from _from_yaml(compose(text))


def _from_yaml(root: Node | None) -> Iterator[Item]:
    for section in elements(value_at(root, "nlu")):
        keys = dict(mapping(section))
        intent = scalar(keys.get("intent")).strip()
        if any(key in keys for key in _OTHERS):
            continue
        if not intent or "examples" not in keys:
            yield BadItem("expected `intent` and `examples`", ", ".join(keys) or scalar(section), line_of(section))
            continue
        for line, text in _examples(keys["examples"]):
            yield _labelled(text, intent, line)


def _examples(node: Node) -> Iterator[tuple[int, str]]:
    """The examples of a block of lines that begin with `-`, or of a list whose elements have such a `text`."""
    if node.id == "sequence":
        for element in elements(node):
            text = scalar(value_at(element, "text")) or scalar(element)
            yield line_of(element), re.sub(r"^\s*-\s+", "", text)
        return
    first = line_of(node) + (1 if getattr(node, "style", None) in ("|", ">") else 0)
    for number, line in enumerate(scalar(node).split("\n"), start=first):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip().removeprefix("-")


def _from_markdown(export: Export) -> Iterator[Item]:
    intent = ""
    for number, line in export.lines():
        if section := _SECTION.fullmatch(line.strip()):
            intent = section["name"].strip() if section["kind"] == "intent" else ""
        elif intent and (example := _EXAMPLE.fullmatch(line)):
            yield _labelled(example["text"], intent, number)


def _from_json(export: Export) -> Iterator[Item]:
    for key in _LISTS:
        for line, example in export.items("rasa_nlu_data", key):
            if text := as_text(as_dict(example).get("text")):
                yield _labelled(text, as_text(example.get("intent")), line, marked=False)
            else:
                yield bad_item("an example with `text` and `intent`", example, line)


def _labelled(text: str, intent: str, line: int, marked: bool = True) -> Item:
    text = (without_entities(text) if marked else text).strip()
    if not text or not intent:
        return BadItem("expected a text with an intent", text or intent, line)
    return LabelledText(text, intent, line=line, scenario=intent.split("/")[0] if "/" in intent else None)


FORMAT = Format(
    name="rasa-nlu",
    title="Rasa NLU, YAML, Markdown or JSON",
    rows="intents",
    looks=(
        ("nlu.yml", "nlu:\\n- intent: greet\\n  examples: |\\n    - hey\\n    - hello [Anna](name)"),
        ("nlu.md", "## intent:greet\\n- hey\\n- hello [Anna](name)"),
        ("nlu.json", '{"rasa_nlu_data": {"common_examples": [{"text": "hey", "intent": "greet", "entities": []}]}}'),
    ),
    checked=(
        "rasa.com/docs/rasa/training-data-format; RasaHQ/rasa rasa/shared/nlu/training_data/formats/rasa_yaml.py, "
        "entities_parser.py and data/examples/rasa; RasaHQ/NLU-training-data"
    ),
    recognises=recognises,
    read=read,
)
