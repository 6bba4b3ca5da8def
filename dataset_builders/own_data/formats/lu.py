"""Bot Framework: intents with their utterances in an `.lu` file, as LUIS, Orchestrator and Composer use them.

Patterns, which have the name of an entity in place of words (`book {city}`), are no utterances and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe

_INTENT = re.compile(r"#{1,2}\s*(?P<name>[\w.-]+)")
_UTTERANCE = re.compile(r"[-*+]\s+(?P<text>.+)")
_MARKED = re.compile(r"\{@?[\w: ]+=\s*([^{}]*)\}")  # {city=Berlin}, {@city = Berlin}; may be nested
_INTENTS = re.compile(r"^#{1,2}[ \t]*[\w.-]+[ \t]*\r?\n+(?:[>@$].*\r?\n+)*[-*+] ", re.MULTILINE)
_ENTITY = re.compile(
    r"^(?:>|@ ?(?:ml|list|simple|regex|composite|prebuilt|patternany|intent)\b|\$[\w ]+:)|\{@?\w+", re.M
)
_NONE = "None"
"""Intent of what belongs to no other."""


def recognises(probe: Probe) -> bool:
    """Whether it has headings of one word with lists, and is called `.lu` or defines entities."""
    if not _INTENTS.search(probe.text) or "## intent:" in probe.text:
        return False
    return probe.extension == ".lu" or (probe.extension in ("", ".txt") and bool(_ENTITY.search(probe.text)))


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each utterance; those of the intent `None` are out of scope."""
    intent = ""
    for number, line in export.lines():
        line = line.strip()
        if line.startswith("#"):
            match = _INTENT.fullmatch(line)
            intent = match["name"] if match else ""  # not `# ? question`, `# Entity definitions`
        elif line.startswith(("@", "$", ">")):
            intent = intent if line.startswith(">") else ""  # a list of values follows
        elif intent and (match := _UTTERANCE.fullmatch(line)):
            text = _without_marks(match["text"])
            if "{" in text:
                yield BadItem("a pattern with the name of an entity in place of words", text, number)
            elif not _is_link(text):
                yield LabelledText(text, intent, line=number, is_out_of_scope=intent == _NONE)


def _without_marks(text: str) -> str:
    """A text without the marks of its entities, inner ones first."""
    while (plain := _MARKED.sub(lambda match: match[1].strip(), text)) != text:
        text = plain
    return text.strip()


def _is_link(text: str) -> bool:
    """Whether it refers to the utterances of another file: `[Greeting](./general.lu#Greeting)`."""
    return re.fullmatch(r"\[[^\]]*\]\([^)]*\)", text) is not None


FORMAT = Format(
    name="lu",
    title="Bot Framework language understanding, .lu",
    rows="intents",
    looks=(("tea.lu", "# OrderTea\\n- bring me {tea=assam}\\n\\n# None\\n- who won the match\\n\\n@ ml tea"),),
    checked=(
        "learn.microsoft.com/azure/bot-service/file-format/bot-builder-lu-file-format; github.com/microsoft/"
        "botframework-skills skills/csharp/**/LU"
    ),
    recognises=recognises,
    read=read,
)
