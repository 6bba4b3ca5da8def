"""Labelled and unlabelled utterances from a user's own files, read as a build of the corpora reads them."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError

if TYPE_CHECKING:
    from dataset_builders.schema import Dialogue, Utterance


@dataclass
class OwnUtterances:
    """n utterances read from files.

    Attributes:
        texts: n texts.
        labels: Labels of each of them, empty if it has none.
        outside: Whether each is marked as out of scope.
        is_multi: Whether a record has a list of labels.
        dropped: Number of unusable records by reason.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)
    outside: list[bool] = field(default_factory=list)
    is_multi: bool = False
    dropped: Counter[str] = field(default_factory=Counter)


def utterances_of_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], **options: Any
) -> OwnUtterances:
    """Read labelled utterances from files or folders, in every format of intents that `build` reads.

    Records without a text or a label are counted, not refused: a list of suggestions may be labelled in part.
    Utterances of files or records named after a test split are left out.

    Args:
        paths: A file or folder, or several.
        options: Options of `dataset_builders.own_data.load`, such as `text_column` and `label_column`.

    Raises:
        ModelError: A path does not exist, a file cannot be read, or no record has a text and a label.
    """
    from dataset_builders.schema import Utterance

    rows = OwnUtterances()
    for event in _events(_files(paths), rows.dropped, {"max_bad_share": 1.0} | options):
        if not isinstance(event, Utterance):
            rows.dropped["a dialogue, not a labelled utterance"] += 1
        elif event.split == "test":
            rows.dropped["of a test split"] += 1
        else:
            rows.texts.append(event.text)
            rows.labels.append(event.label if isinstance(event.label, list) else [event.label])
            rows.outside.append(event.is_out_of_scope)
            rows.is_multi |= isinstance(event.label, list)
    return rows


def texts_of_files(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], **options: Any) -> OwnUtterances:
    """Read utterances without regard to labels: what users say in dialogues, the texts of intents, and bare texts.

    Bare texts are the lines of a .txt file without speakers, and a column or key such as `text` of a .csv, .tsv or
    .jsonl file that has no labels, answers or speakers.

    Args:
        paths: A file or folder, or several.
        options: Options of `dataset_builders.own_data.load`.

    Raises:
        ModelError: A path does not exist, or a file cannot be read.
    """
    from dataset_builders.common.errors import DataError
    from dataset_builders.own_data.containers.text_encoding import is_damaged
    from dataset_builders.schema import Dialogue

    rows = OwnUtterances()
    for path in _files(paths):
        try:
            texts = _bare_texts(path) if path.is_file() and not options else None
        except DataError as error:
            raise ModelError(str(error)) from error
        if texts is not None:
            whole = [text for text in texts if not is_damaged(text)]
            rows.texts.extend(whole)
            if len(whole) < len(texts):
                rows.dropped["the text is damaged: it is not in the encoding of its file"] += len(texts) - len(whole)
            continue
        for event in _events([path], rows.dropped, options):
            if isinstance(event, Dialogue):
                rows.texts.extend(
                    text for turn in event.turns if turn.speaker == "user" and (text := turn.text.strip())
                )
            else:
                rows.texts.append(event.text)
    rows.labels, rows.outside = [[] for _ in rows.texts], [False] * len(rows.texts)
    return rows


def _files(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    files = [Path(path).expanduser() for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        raise ModelError("the list of files is empty: expected a file, a folder or a list of them")
    return files


def _events(files: Sequence[Path], dropped: Counter[str], options: dict[str, Any]) -> Iterator[Dialogue | Utterance]:
    """The rows of own data; rejected records are counted."""
    from dataset_builders import own_data
    from dataset_builders.common.errors import DataError

    try:
        for path in files:
            for event in own_data.load(path, **options):
                if isinstance(event, own_data.Rejected):
                    dropped[event.reason] += 1
                else:
                    yield event
    except DataError as error:
        raise ModelError(str(error)) from error


def _bare_texts(path: Path) -> list[str] | None:
    """The texts of a file that has nothing else, damaged ones too; None for any other file."""
    from dataset_builders.own_data.containers.text_encoding import detect_encoding, open_text
    from dataset_builders.own_data.options import Options
    from dataset_builders.own_data.plain import plain_text
    from dataset_builders.own_data.plain.json_records import read_lines
    from dataset_builders.own_data.plain.names import TEXT, find_layout, plain
    from dataset_builders.sources.raw_files import RawFile

    suffix, file = path.suffix.lower(), RawFile(path.name, path)
    if suffix not in (".txt", ".csv", ".tsv", ".jsonl"):
        return None
    encoding = detect_encoding(file)
    records: list[Any]
    if suffix == ".jsonl":
        records = [record for _, record in read_lines(file, encoding)]
    else:
        with open_text(file, encoding) as stream:
            lines = [line.strip("\ufeff") for line in stream]
        if suffix == ".txt":
            style = plain_text.find_style("".join(lines[:200]))
            is_bare = style is None or style.style == "bare"
            return [text for line in lines if (text := line.strip())] if is_bare else None
        if not lines:
            return None
        delimiter = max(",;\t|", key=lines[0].count)
        try:
            records = list(csv.DictReader(lines, delimiter=delimiter))
        except csv.Error:  # the reader of tables reports it
            return None
    # a row with more cells than the header has a key None
    keys = [key for key in records[0] if key is not None] if records and isinstance(records[0], dict) else []
    key = next((key for name in TEXT for key in keys if plain(str(key)) == name), None)
    if key is None or find_layout(keys, Options()) is not None:
        return None
    texts = (record.get(key) for record in records if isinstance(record, dict))
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]
