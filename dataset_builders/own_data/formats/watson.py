"""IBM Watson Assistant: a dialog or action skill (workspace) downloaded as JSON. Counterexamples are out of scope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import Item, LabelledText
from dataset_builders.own_data.probe import Probe

_MARKS = ("learning_opt_out", "counterexamples", "dialog_nodes", "workspace_id", "system_settings")


def recognises(probe: Probe) -> bool:
    """Whether it has intents with `examples` of `text`, and a key that only workspaces have or a version of the API.

    A long file may have that key after its intents, out of sight: `probe` then shows an `intent` with `examples` alone,
    in an object that begins as a workspace does.
    """
    workspace = _workspace(probe.json)
    if not any("intent" in intent and _texts(intent) for intent in dicts(workspace.get("intents"))):
        return False
    return (
        any(key in workspace or key in as_dict(probe.json) for key in _MARKS)
        or "api_version" in as_dict(workspace.get("metadata"))
        or not probe.is_whole
    )


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each example of an intent, and for each counterexample."""
    content = export.json()
    workspace = _workspace(content)
    language = as_text(workspace.get("language")) or as_text(as_dict(content).get("language")) or None
    for intent in dicts(workspace.get("intents")):
        examples = intent.get("examples")
        for example in examples if isinstance(examples, list) else []:
            text, label = as_text(as_dict(example).get("text")), as_text(intent.get("intent"))
            if text and label:
                yield LabelledText(text, label, language=language)
            else:
                yield bad_item("an example with `text` of an intent with a name", example)
    for example in dicts(workspace.get("counterexamples")):
        text = as_text(example.get("text"))
        yield LabelledText(text, "out_of_scope", is_out_of_scope=True, language=language)


def _workspace(content: Any) -> dict[str, Any]:
    """The workspace, which a skill wraps."""
    return as_dict(as_dict(content).get("workspace")) or as_dict(content)


def _texts(intent: dict[str, Any]) -> list[dict[str, Any]]:
    return [example for example in dicts(intent.get("examples")) if "text" in example]


FORMAT = Format(
    name="watson",
    title="IBM Watson Assistant, JSON",
    rows="intents",
    looks=(
        (
            "skill.json",
            '{"intents": [{"intent": "greet", "examples": [{"text": "hello"}]}], "counterexamples": [{"text": "..."}], '
            '"dialog_nodes": [...], "language": "en"}',
        ),
        ("action-skill.json", '{"type": "action", "workspace": {"intents": [...], "actions": [...]}}'),
    ),
    checked=(
        "cloud.ibm.com/apidocs/assistant-v1 (get workspace); RasaHQ/rasa data/examples/watson/demo_watson.json and "
        "demo_watson_v2.json; ibm-cloud-docs/assistant create-dialog-skill.md"
    ),
    recognises=recognises,
    read=read,
)
