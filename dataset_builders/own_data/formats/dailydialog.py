"""DailyDialog: a dialogue on each line, its turns ended by `__eou__`; two people without names take turns.

The numbers of topics beside it (`dialogues_topic.txt`) become domains; those of acts and emotions are left aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import PurePosixPath

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

_END = "__eou__"
_TOPICS = (
    *("Ordinary Life", "School Life", "Culture & Education", "Attitude & Emotion", "Relationship"),
    *("Tourism", "Health", "Work", "Politics", "Finance"),
)


def recognises(probe: Probe) -> bool:
    """Whether nearly every line has turns that `__eou__` ends."""
    lines = [line for line in probe.lines[:1000] if line.strip()]
    return not probe.records and bool(lines) and sum(_END in line for line in lines) >= 0.9 * len(lines)


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The numbers of acts, emotions and topics of the same dialogues."""
    path = PurePosixPath(file.name)
    stem = path.stem.replace("_text", "")
    names = {stem.replace("dialogues", f"dialogues_{kind}", 1) + path.suffix for kind in ("act", "emotion", "topic")}
    return tuple(
        f for f in files if (p := PurePosixPath(f.name)).parent == path.parent and p.name in names - {path.name}
    )


def read(export: Export) -> Iterator[Item]:
    """A conversation for each line."""
    topics = next((file for file in export.companions if "topic" in PurePosixPath(file.name).name), None)
    numbers = (text for _, text in export.lines(topics)) if topics else iter(())
    for line, topic in zip_longest(export.lines(), numbers):
        if line is None:
            break
        number, text = line
        turns = [turn.strip() for turn in text.split(_END)]
        if turns[-1]:
            yield BadItem(f"expected {_END} at the end of the line", text, number)
        elif len(turns) > 1:
            messages = [Message("B" if index % 2 else "A", turn) for index, turn in enumerate(turns[:-1])]
            yield Conversation(messages, line=number, domains=_domains(topic or ""))


def _domains(topic: str) -> list[str]:
    number = int(topic) if topic.strip().isdecimal() else 0
    return [_TOPICS[number - 1]] if 1 <= number <= len(_TOPICS) else []


FORMAT = Format(
    name="dailydialog",
    title="DailyDialog, text",
    rows="dialogues",
    looks=(("dialogues_text.txt", "Where is the tea ? __eou__ On the shelf . __eou__"),),
    checked="readme.txt of the release, and loaders of its files, in public repositories",
    recognises=recognises,
    read=read,
    companions=companions,
    roles="the first speaker of each dialogue is the user",
)
