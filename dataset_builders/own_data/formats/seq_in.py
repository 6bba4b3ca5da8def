"""Folders with `seq.in` (an utterance a line), `label` (its intent) and `seq.out` (its slots, not read).

ATIS and SNIPS are published in this form, with a folder for each split: `train`, `valid` or `dev`, `test`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import PurePosixPath

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

_TEXTS, _LABELS, _SLOTS = "seq.in", "label", "seq.out"
_SPLITS = {"train", "valid", "validation", "dev", "val", "test"}


def recognises(probe: Probe) -> bool:
    """Whether the file is called `seq.in`, and its lines are plain texts: they have no other mark."""
    return PurePosixPath(probe.name).name == _TEXTS and bool(probe.text.strip()) and "\t" not in probe.text


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """`label` and `seq.out` in the same folder."""
    folder = PurePosixPath(file.name).parent
    return tuple(f for f in files if PurePosixPath(f.name) in (folder / _LABELS, folder / _SLOTS))


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each line."""
    labels_file = next((f for f in export.companions if PurePosixPath(f.name).name == _LABELS), None)
    if labels_file is None:
        yield BadItem("expected a file `label` in the same folder, with the intent of each line", export.file.name)
        return
    folder = PurePosixPath(export.file.name).parent.name.lower()
    split = folder if folder in _SPLITS else ""
    for text, label in zip_longest(export.lines(), export.lines(labels_file)):
        number, words = text or (label[0], "")
        intent = label[1].strip() if label else ""
        if not words.strip() and not intent:
            continue
        if not words.strip() or not intent:
            missing = _LABELS if words.strip() else _TEXTS
            yield BadItem(f"`{missing}` has no text on this line; both files must have the same lines", words, number)
        else:
            yield LabelledText(words.strip(), intent, line=number, split=split)


FORMAT = Format(
    name="seq-in",
    title="seq.in and label, folders of text",
    rows="intents",
    looks=(
        ("train/seq.in", "play some jazz\\nbook a table for two"),
        ("train/label", "PlayMusic\\nBookRestaurant"),
    ),
    checked="data/atis and data/snips of public copies, such as Elkaito/JointBERT and czhang99/Capsule-NLU",
    recognises=recognises,
    read=read,
    companions=companions,
)
