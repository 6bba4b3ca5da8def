"""Rasa: end-to-end stories and test stories, in YAML or Markdown, with the bot's texts from `domain.yml`.

Ordinary stories hold intents in place of the user's texts; they cannot be dialogues and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.rasa_markup import without_entities
from dataset_builders.own_data.formats.shared.yaml_nodes import compose, elements, line_of, mapping, scalar, value_at
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

if TYPE_CHECKING:
    from yaml.nodes import Node

_YAML = re.compile(r"^stories:[ \t]*(?:#.*)?$", re.MULTILINE)
_YAML_STORY = re.compile(r"^\s*-\s+story:", re.MULTILINE)
_YAML_NLU = re.compile(r"^nlu:[ \t]*(?:#.*)?$", re.MULTILINE)
_MARKDOWN = re.compile(
    r"^## [^\n]*\n(?:\s*\n)*\s*\* [\w/+.-]+[^\n]*\n(?:\s+- [^\n]*\n)*?\s+- (?:utter|action)_\w", re.M
)
_USER_LINE = re.compile(r"\s*\* (?:form:\s*)?(?P<intent>[\w/+.-]+)(?:\{.*?\})?(?::\s+(?P<text>.*))?")
_BOT_LINE = re.compile(r"\s+- (?P<action>[\w./-]+)(?P<data>[{:].*)?")
_DOMAIN = re.compile(r"(?:domain|responses)[\w-]*\.ya?ml", re.IGNORECASE)

_NO_TEXTS = "the story has intents in place of the user's texts; only end-to-end stories (`user:`) hold texts"


@dataclass
class _Story:
    """A story as far as it is read.

    Args:
        name: Its name.
        line: The line it begins on.
        messages: Its messages.
        problem: Why it cannot be used; empty if it can.
    """

    name: str
    line: int
    messages: list[Message] = field(default_factory=list)
    problem: str = ""


def recognises(probe: Probe) -> bool:
    """Whether it has a section `stories:` and no `nlu:`, or headings with `* intent` and `- utter_...` below."""
    if _YAML.search(probe.text) and _YAML_STORY.search(probe.text):
        return not _YAML_NLU.search(probe.text)
    return "## intent:" not in probe.text and bool(_MARKDOWN.search(probe.text))


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The domain: `domain.yml`, `responses.yml` or the files of `domain/`, in the story's folder or one above."""
    folder = PurePosixPath(file.name).parent
    return tuple(f for f in files if f != file and _is_domain(PurePosixPath(f.name), folder))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each story."""
    with export.text() as stream:
        text = stream.read()
    responses = dict(_responses(compose(_content(export, file)) for file in export.companions))
    if _YAML.search(text):
        root = compose(text)
        responses.update(_responses([root]))
        stories = _from_yaml(root, responses)
    else:
        stories = _from_markdown(export, responses)
    for story in stories:
        if story.problem:
            yield BadItem(story.problem, story.name, story.line)
        else:
            yield Conversation(story.messages, id=story.name, line=story.line)


def _is_domain(place: PurePosixPath, folder: PurePosixPath) -> bool:
    in_folder = place.parent.name == "domain" and place.suffix.lower() in (".yml", ".yaml")
    above = place.parent.parent if in_folder else place.parent
    return (in_folder or bool(_DOMAIN.fullmatch(place.name))) and (above == folder or above in folder.parents)


def _content(export: Export, file: RawFile) -> str:
    with export.text(file) as stream:
        return stream.read()


def _responses(domains: Iterable[Node | None]) -> Iterator[tuple[str, str]]:
    """Name and first text of each response; the text of one without texts (an image) is empty."""
    for domain in domains:
        for key in ("templates", "responses"):  # `templates` in 1.x
            for name, variants in mapping(value_at(domain, key)):
                texts = (scalar(value_at(v, "text")) or scalar(v) for v in elements(variants))
                yield name, next(filter(None, texts), "")


def _from_yaml(root: Node | None, responses: dict[str, str]) -> Iterator[_Story]:
    for node in elements(value_at(root, "stories")):
        story = _Story(scalar(value_at(node, "story")), line_of(node))
        steps = value_at(node, "steps")
        if not elements(steps):
            story.problem = "expected a story with `steps`"
        for step in elements(steps):
            keys = {key: scalar(value).strip() for key, value in mapping(step)}
            if keys.get("user"):
                _add_user(story, keys["user"])
            elif "intent" in keys or "or" in keys:
                story.problem = story.problem or _NO_TEXTS
            elif "bot" in keys:
                story.messages.append(Message("bot", keys["bot"], role="system"))
            elif "action" in keys:
                _add_action(story, keys["action"], responses)
        yield story


def _from_markdown(export: Export, responses: dict[str, str]) -> Iterator[_Story]:
    story: _Story | None = None
    for number, line in export.lines():
        if line.startswith("## "):
            if story:
                yield story
            story = _Story(line[3:].strip(), number)
        elif story and (user := _USER_LINE.fullmatch(line)):
            if user["text"]:
                _add_user(story, user["text"])
            else:
                story.problem = story.problem or _NO_TEXTS
        elif story and (bot := _BOT_LINE.fullmatch(line)) and not bot["data"]:  # not slot{...}, form{...}
            _add_action(story, bot["action"], responses)
    if story:
        yield story


def _add_user(story: _Story, text: str) -> None:
    story.messages.append(Message("user", without_entities(text).strip(), role="user"))


def _add_action(story: _Story, action: str, responses: dict[str, str]) -> None:
    """Add what an action says, or the call of a program."""
    if text := responses.get(action, ""):
        story.messages.append(Message("bot", text, role="system"))
    elif action in responses:
        story.messages.append(Message("bot", "", role="system", kind="media"))
    elif action.startswith("utter_"):
        place = "`responses:` of a domain.yml in the story's folder or above it"
        story.problem = story.problem or f"no text of {action}: it must be in the {place}"
    else:
        story.messages.append(Message("bot", action, role="system", kind="tool"))


FORMAT = Format(
    name="rasa-stories",
    title="Rasa end-to-end stories, YAML or Markdown",
    rows="dialogues",
    looks=(
        ("stories.yml", "stories:\\n- story: tea\\n  steps:\\n  - user: |\\n      hello\\n  - action: utter_greet"),
        ("stories.md", "## tea\\n* greet: hello\\n  - utter_greet"),
        ("domain.yml", "responses:\\n  utter_greet:\\n  - text: Hello!"),
    ),
    checked=(
        "rasa.com/docs/rasa/stories, /testing-your-assistant, /domain; RasaHQ/rasa "
        "rasa/shared/core/training_data/story_reader/yaml_story_reader.py, data/examples/ted_policy/stories.yml, "
        "data/examples/rasa/ted_policy/stories.md"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
    roles="by `user:` and `bot:`",
)
