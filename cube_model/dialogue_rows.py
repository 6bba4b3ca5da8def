"""A user's pairs, conversations and files as rows of pairs.

The one place where this package uses `dataset_builders` as a library: the reader of own data, the maker of pairs and
the quality filters are the ones that the corpora go through.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

    from cube_model.dialogue_config import DialogueConfig
    from dataset_builders.schema import Dialogue

logger = logging.getLogger(__name__)

LATER_EXCHANGE = "a later exchange of a conversation"
"""Reason of pairs that `support_multiturn=False` leaves out."""

_ROWS_AT_ONCE = 10_000
_HELD_OUT = ("dev", "val", "validation")
"""What files may call the split that is held out."""


@dataclass
class DialogueRows:
    """Dialogues as read, before pairs are made of them.

    Attributes:
        table: One row a dialogue, with the columns that `dataset_builders.pairs.make_pairs` reads.
        held_out: Ids of the dialogues that stand in a file named after a validation split.
        dropped: Records that could not be used, by reason.
    """

    table: pa.Table
    held_out: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def rows_of_records(records: Iterable[Any], what: str, expected: str, language: str = "und") -> DialogueRows:
    """Dialogues of objects in memory: pairs or conversations in any form that the reader of own files knows.

    Args:
        records: Dicts, or lists of turns.
        what: Name of the argument, for messages; the source of the rows.
        expected: One record as it should look, for messages.
        language: BCP 47 tag of the texts.

    Raises:
        ModelError: A record is of no known form.
    """
    from dataset_builders.own_data.options import Options
    from dataset_builders.own_data.records import RecordParser
    from dataset_builders.own_data.rejects import BadRecord
    from dataset_builders.schema import Dialogue

    if isinstance(records, str | bytes | dict) or not isinstance(records, Iterable):
        raise ModelError(f"{what} is a {type(records).__name__}: expected a list such as [{expected}]")
    parser, dropped = RecordParser(Options()), Counter[str]()

    def dialogues() -> Iterator[tuple[str, str, Dialogue]]:
        for number, record in enumerate(records):
            given = list(record) if isinstance(record, tuple) else record
            try:
                layout = parser.layout(given)
            except BadRecord as problem:
                raise ModelError(f"{what}[{number}]: {problem}; expected {expected}") from problem
            try:
                rows = parser.parse(given, layout)
            except BadRecord as problem:
                dropped[str(problem)] += 1
                continue
            for row in rows:
                if not isinstance(row, Dialogue):
                    raise ModelError(f"{what}[{number}]: a labelled utterance; expected {expected}")
                yield what, str(number), row

    return DialogueRows(_table(dialogues(), language), dropped=dropped)


def rows_of_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], language: str = "und", **options: Any
) -> DialogueRows:
    """Dialogues of files or folders: JSON, JSONL, CSV, TSV, TXT, chat exports, also as .gz or .zip.

    Args:
        paths: A file or folder, or several.
        language: BCP 47 tag of the rows that state none.
        options: Of `dataset_builders.own_data.load`: `question_column`, `answer_column`, `encoding`, `max_bad_share`,
            `rejects`.

    Raises:
        ModelError: Nothing usable is there, or too many records are bad.
    """
    from dataset_builders import own_data
    from dataset_builders.errors import DataError
    from dataset_builders.schema import Dialogue

    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    rows = DialogueRows(_table([], language))
    tests = 0

    def dialogues() -> Iterator[tuple[str, str, Dialogue]]:
        nonlocal tests
        names: Counter[str] = Counter()
        for path in given:
            data = own_data.load(Path(path).expanduser(), language=language, **options)
            names[data.name] += 1
            source = data.name if names[data.name] == 1 else f"{data.name}~{names[data.name]}"
            for event in data:
                if isinstance(event, own_data.Rejected):
                    rows.dropped[event.reason] += 1
                elif not isinstance(event, Dialogue):
                    rows.dropped["a labelled utterance, not a dialogue"] += 1
                elif event.split == "test":
                    tests += 1
                else:
                    if event.split in _HELD_OUT:
                        rows.held_out.append(f"{source}/{event.id}")
                    yield source, event.id, event

    if not given:
        raise ModelError("no file given: expected a file, a folder or a list of them")
    try:
        rows.table = _table(dialogues(), language)
    except DataError as error:
        raise ModelError(str(error)) from error
    if tests:
        logger.warning("left out %s dialogues of files named after a test split: nothing learns from them", tests)
        rows.dropped["of a test file"] = tests
    return rows


def pairs_of_rows(rows: DialogueRows, config: DialogueConfig) -> tuple[pa.Table, int, Counter[str]]:
    """Question -> answer pairs with their context: every turn of the user that the system answers.

    Returns:
        Rows of the `pairs` config; how many exchanges and unusable records were read; the drops by reason.
    """
    import pyarrow as pa

    from dataset_builders.pairs import make_pairs

    table: pa.Table = make_pairs(rows.table, config.context_turns, ["user-system"])
    dropped = Counter(rows.dropped)
    read = len(table) + sum(dropped.values())
    if not config.support_multiturn:
        ids = table["dialogue_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        first = np.unique(ids, return_index=True)[1]
        dropped[LATER_EXCHANGE] += len(table) - len(first)
        table = table.take(pa.array(first))
    if config.enable_quality_filter:
        table = _screened(table, config, dropped)
    return table, read, +dropped


def text_keys(texts: Sequence[str] | pa.Array) -> np.ndarray:
    """int64 `[n]`, equal for texts that are equal but for case, punctuation and spacing."""
    import pyarrow as pa

    from dataset_builders.normalize import text_hashes

    return text_hashes(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())).view(np.int64)


def pair_keys(table: pa.Table) -> np.ndarray:
    """int64 `[n]`, equal for pairs of which both sides have equal `text_keys`."""
    sides = [text_keys(table[side].combine_chunks()) for side in ("anchor", "positive")]
    return np.unique(np.stack(sides), axis=1, return_inverse=True)[1].reshape(-1)


def _screened(table: pa.Table, config: DialogueConfig, dropped: Counter[str]) -> pa.Table:
    """The table without what the filters drop; the drops are counted by reason."""
    import pyarrow.compute as pc

    for column, side in (("anchor", "question"), ("positive", "answer")):
        length = pc.utf8_length(table[column])
        limits = {
            f"{side} is shorter than min_{side}_length": pc.less(length, getattr(config, f"min_{side}_length")),
            f"{side} is longer than max_{side}_length": pc.greater(length, getattr(config, f"max_{side}_length")),
        }
        for reason, beyond in limits.items():
            dropped[reason] += pc.sum(beyond).as_py() or 0
        table = table.filter(pc.invert(pc.or_(*limits.values()))) if len(table) else table
    return table


def _table(dialogues: Iterable[tuple[str, str, Dialogue]], language: str) -> pa.Table:
    """(source, id, dialogue) -> the columns that `make_pairs` reads."""
    import pyarrow as pa

    from dataset_builders.own_data.builder import PRIVATE
    from dataset_builders.schema import ARROW_SCHEMAS

    full = ARROW_SCHEMAS["dialogues"]
    turns = pa.list_(pa.struct([("speaker", pa.string()), ("text", pa.string())]))
    names = ("dialogue_id", "source", "language", "domains", "turns", "cluster_id", "license", "redistributable")
    schema = pa.schema([pa.field(name, turns if name == "turns" else full.field(name).type) for name in names])
    batches: list[pa.RecordBatch] = []
    waiting: list[dict[str, Any]] = []

    def flush() -> None:
        batches.append(pa.RecordBatch.from_pylist(waiting, schema=schema))
        waiting.clear()

    for source, name, dialogue in dialogues:
        waiting.append(
            {
                "dialogue_id": f"{source}/{name}",
                "source": source,
                "language": dialogue.language or language,
                "domains": dialogue.domains,
                "turns": [{"speaker": t.speaker, "text": t.text.strip()} for t in dialogue.turns if t.text.strip()],
                "license": PRIVATE,
                "redistributable": False,
            }
        )
        if len(waiting) == _ROWS_AT_ONCE:
            flush()
    flush()
    return pa.Table.from_batches(batches, schema=schema)
