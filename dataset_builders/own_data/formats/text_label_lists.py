"""Lists of `[text, label]` in JSON: CLINC150's map by split, with `oos_train` for texts out of scope, or one list.

A file `domains.json` beside it, as that of CLINC150, gives the labels of each domain, which become scenarios.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict
from dataset_builders.own_data.formats.shared.label_rule import are_labelled
from dataset_builders.own_data.messages import Item, LabelledText
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile

_SPLIT = re.compile(r"(?P<oos>(?:oos|ood|out_of_scope)_)?(?P<split>train|val|valid|validation|dev|test)")


def recognises(probe: Probe) -> bool:
    """Whether it is a map of splits with lists of pairs, or a list of pairs, whose second values are labels.

    A map that has a split out of scope needs no further evidence.
    """
    if isinstance(probe.json, list):
        pairs = _complete(probe.json)
        return pairs is not None and are_labelled(pairs)
    splits = as_dict(probe.json)
    lists = [_complete(value) for value in splits.values()]
    if not splits or not all(_SPLIT.fullmatch(name) for name in splits) or None in lists:
        return False
    if any(_is_oos(name) for name in splits):
        return any(lists)
    return are_labelled([pair for pairs in lists if pairs for pair in pairs])


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """The domains of the labels: `domains.json` in the same folder."""
    place = PurePosixPath(file.name).with_name("domains.json")
    return tuple(f for f in files if f != file and PurePosixPath(f.name) == place)


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each pair."""
    content = export.json()
    domains = as_dict(export.json(export.companions[0])) if export.companions else {}
    domain_of = {
        label: domain for domain, labels in domains.items() if isinstance(labels, list) for label in map(str, labels)
    }
    splits = content.items() if isinstance(content, dict) else [("", content)]
    for name, pairs in splits:
        match = _SPLIT.fullmatch(name)
        for pair in pairs if isinstance(pairs, list) else [pairs]:
            if _is_pair(pair):
                text, label = pair
                split = match["split"] if match else ""
                scenario = domain_of.get(label)
                yield LabelledText(text, label, scenario=scenario, is_out_of_scope=_is_oos(name), split=split)
            else:
                yield bad_item("a text and its label: `[text, label]`", pair)


def _complete(value: Any) -> list[tuple[str, str]] | None:
    """The pairs of a list whose last one may be cut off; None if it is not a list of pairs."""
    if not isinstance(value, list) or not all(map(_is_pair, value[:-1])):
        return None
    last = value[-1:] if value and _is_pair(value[-1]) else []
    return [(text, label) for text, label in (*value[:-1], *last)]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)


def _is_oos(name: str) -> bool:
    match = _SPLIT.fullmatch(name)
    return bool(match and match["oos"])


FORMAT = Format(
    name="text-label-lists",
    title="Lists of text and label, as of CLINC150, JSON",
    rows="intents",
    looks=(
        ("data_full.json", '{"train": [["will it rain", "weather"], ...], "oos_train": [["hm", "oos"], ...]}'),
        ("domains.json", '{"small_talk": ["greeting", "goodbye"], ...}'),
        ("train.json", '[["will it rain", "weather"], ["play some jazz", "music"], ...]'),
    ),
    checked="clinc/oos-eval data/*.json; RasaHQ/NLU-benchmark and snipsco/nlu-benchmark derived lists",
    recognises=recognises,
    read=read,
    companions=companions,
)
