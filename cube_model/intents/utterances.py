"""Utterances of datasets and of a user's own files, with or without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cube_model.data.digest import digest_of
from cube_model.data.intent_rows import read_intent_rows
from cube_model.data.location import location_of
from cube_model.data.own_utterances import OwnUtterances, texts_of_files, utterances_of_files
from cube_model.data.selection import LEAK, is_spoken
from cube_model.errors import ModelError
from cube_model.intents.config import SuggestIntentsConfig, TrainIntentsConfig
from cube_model.intents.suggestion_file import is_suggestions
from dataset_builders.common.spreadsheets import of_cell
from dataset_builders.common.terminal import visible

_PRIVATE = "private"
"""Licence of own rows in records: they may not be redistributed."""


@dataclass
class Utterances:
    """n utterances.

    Attributes:
        texts: n texts.
        labels: Labels of each, empty lists where there are none.
        outside: Texts that belong to none of the labels.
        is_multi: Whether a row may have any number of labels.
        left_out: Number of rows that were left out, by reason.
        facts: Where the rows are from, for records: JSON values.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    is_multi: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)


def read_labelled(config: TrainIntentsConfig) -> Utterances:
    """Read labelled utterances.

    Labels of a dataset begin with their source, `banking77/card_arrival`, which is left away where all are of one.

    Raises:
        ModelError: An input does not exist or cannot be read, or no row has a label.
    """
    result, licenses = Utterances(), set[str]()
    if config.data is not None:
        for row in _dataset_rows(config.data, config.splits, config.sources, config.languages):
            licenses.add(str(row["license"]))
            # a list of one label is what every source has, a list of several or none only some
            labels = [row["label"]] if row["labels"] is None else row["labels"]
            result.is_multi |= len(labels) != 1 and not row["is_out_of_scope"]
            _add(result, row["utterance"], labels, row["is_out_of_scope"])
        _strip_source(result)
    for path in config.own or []:
        own = utterances_of_files(path)
        licenses.add(_PRIVATE)
        result.is_multi |= own.is_multi
        result.left_out.update(own.dropped)
        if is_suggestions(Path(path)):
            own.texts = list(map(of_cell, own.texts))
            own.labels = [[of_cell(str(label)) for label in labels] for labels in own.labels]
        for text, labels, outside in zip(own.texts, own.labels, own.outside, strict=True):
            _add(result, text, labels, outside)
    if config.out_of_scope is not None:
        result.outside.extend(texts_of(config.out_of_scope))
    if not result.texts:
        raise ModelError(
            f"{_names(config.data, config.own)}: no labelled utterance; expected rows with a text and a label, such as "
            "a table with the columns text and intent"
        )
    _record(result, config.data, config.own, licenses)
    return result


def read_unlabelled(config: SuggestIntentsConfig) -> Utterances:
    """Read the distinct utterances, with their labels where the dataset has some.

    Raises:
        ModelError: An input does not exist or cannot be read, or there are fewer than two utterances.
    """
    result, licenses = Utterances(), set[str]()
    if config.data is not None and config.rows == "utterances":
        for row in _dataset_rows(config.data, config.splits, config.sources, config.languages):
            licenses.add(str(row["license"]))
            result.texts.append(row["utterance"])
    elif config.data is not None:
        from cube_model.data.turns import read_turns

        for split in config.splits or ["train"]:
            turns = read_turns(config.data, split, sources=config.sources, languages=config.languages)
            spoken = zip(turns.texts, turns.speakers, strict=True)
            result.texts.extend(text for text, speaker in spoken if speaker == "user")
            licenses.update(turns.licenses)
    if config.own:
        own: OwnUtterances = texts_of_files(config.own)
        licenses.add(_PRIVATE)
        result.left_out.update(own.dropped)
        result.texts.extend(own.texts)
    texts = list(dict.fromkeys(text for text in result.texts if text.strip()))
    result.left_out["equal to another one, or empty"] += len(result.texts) - len(texts)
    result.texts = texts
    if len(texts) < 2:
        where = _names(config.data, config.own)
        raise ModelError(f"{where}: {len(texts)} utterances; expected two different ones or more")
    _record(result, config.data, config.own, licenses)
    return result


def texts_of(file: str | Path) -> list[str]:
    """Read the utterances of a file, such as a text file with one a line.

    Raises:
        ModelError: The file does not exist, cannot be read, or is empty.
    """
    texts = texts_of_files([str(file)]).texts
    if not texts:
        raise ModelError(f"{file}: no utterance; expected one a line")
    return texts


def _dataset_rows(
    data: str, splits: Sequence[str] | None, sources: Sequence[str] | None, languages: Sequence[str] | None
) -> Iterable[dict[str, Any]]:
    available, tags, used = set[str](), set[str](), 0
    for split in splits or ["train"]:
        columns = ("source", "utterance", "label", "is_out_of_scope", "language", "flags", "license")
        for row in read_intent_rows(data, split, columns=columns).to_pylist():
            available.add(row["source"])
            tags.add(row["language"])
            is_leak = any(flag.startswith(LEAK) for flag in row["flags"] or ())
            if (sources is None or row["source"] in sources) and is_spoken(row["language"], languages) and not is_leak:
                used += 1
                yield row
    if missing := sorted(set(sources or ()) - available):
        raise ModelError(f"{data}: no intents from {', '.join(missing)}; choose from {', '.join(sorted(available))}")
    if not used:
        raise ModelError(
            f"{data}: no intents in {', '.join(languages or ())}; the dataset has {', '.join(sorted(tags))}"
        )


def _add(result: Utterances, text: str, labels: list[str], is_outside: bool) -> None:
    if not text.strip():
        result.left_out["the text is empty"] += 1
    elif is_outside:
        result.outside.append(text)
    elif any(not str(label or "").strip() for label in labels):
        result.left_out["the label is empty"] += 1
    else:
        result.texts.append(text)
        result.labels.append(labels)


def _strip_source(result: Utterances) -> None:
    sources = {label.partition("/")[0] for labels in result.labels for label in labels if "/" in label}
    if len(sources) == 1 and all("/" in label for labels in result.labels for label in labels):
        result.labels = [[label.partition("/")[2] for label in labels] for labels in result.labels]


def _names(data: str | None, own: Sequence[str] | None) -> str:
    return ", ".join([*([data] if data else []), *(own or ())])


def _record(result: Utterances, data: str | None, own: Sequence[str] | None, licenses: set[str]) -> None:
    result.facts = {
        "dataset": None if data is None else location_of(data),
        "own": [visible(Path(path).name) for path in own or ()],
        "rows": len(result.texts),
        "out_of_scope": len(result.outside),
        "licenses": sorted(licenses),
        "fingerprint": digest_of(result.texts, result.labels, result.outside),
    }
