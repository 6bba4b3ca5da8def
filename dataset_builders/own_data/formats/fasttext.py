"""fastText: a text a line, after its labels `__label__NAME`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.probe import Probe

_LINE = re.compile(r"\s*((?:__label__\S+[\s,]+)*__label__\S+)[\s,]*(.*)")
_LABEL = re.compile(r"__label__([^\s,]+)")
_SAMPLE = 50


def recognises(probe: Probe) -> bool:
    """Whether all of the first lines begin with a label."""
    lines = [line for line in probe.lines[: 4 * _SAMPLE] if line.strip()][:_SAMPLE]
    return bool(lines) and all(line.lstrip().startswith("__label__") for line in lines)


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each line."""
    for number, line in export.lines():
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        labels = _LABEL.findall(match[1]) if match else []
        if not match or not match[2].strip():
            yield BadItem("expected `__label__NAME` and a text", line, number)
        else:
            yield LabelledText(match[2].strip(), labels, line=number)


FORMAT = Format(
    name="fasttext",
    title="fastText, text",
    rows="intents",
    looks=(("train.txt", "__label__greet hello there\\n__label__bye see you"),),
    checked="fasttext.cc/docs/en/supervised-tutorial.html",
    recognises=recognises,
    read=read,
)
