"""Question -> answer rows from a user's pairs, conversations and files.

Only this module and `own_utterances.py` use `dataset_builders` as a library. This one reads own data, forms pairs and
filters them exactly as a build of the corpora does.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.vector_files import SUFFIXES
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

    from cube_model.data.config import DialogueConfig
    from dataset_builders.schema import Dialogue

logger = logging.getLogger(__name__)

_HELD_OUT = ("dev", "val", "validation")
"""Names of the validation split in file names."""


@dataclass
class DialogueRows:
    """Dialogues read from records or files.

    Attributes:
        table: One row per dialogue, with the columns that `dataset_builders.pairs.consecutive.make_pairs` reads.
        held_out: Ids of the dialogues in files named after a validation split.
        dropped: Number of unusable records by reason.
    """

    table: pa.Table
    held_out: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass
class PairRows:
    """Question -> answer pairs, with the drops and flags of the quality filters.

    Attributes:
        table: Rows of the `pairs` config.
        read: Number of exchanges read, plus that of records and dialogues without one.
        dropped: Number of drops by reason.
        flagged: Number of pairs in `table` by flag of the quality filters.
        quality: Mean of each part of the quality score, 0 (poor) to 1 (good).
    """

    table: pa.Table
    read: int
    dropped: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    quality: dict[str, float | None] = field(default_factory=dict)


def rows_of_records(records: Iterable[Any], what: str, expected: str, language: str = "und") -> DialogueRows:
    """Read pairs or conversations from objects in memory, in any form that is accepted in files.

    Args:
        records: Dicts, tuples, or lists of turns.
        what: Name of the argument, for error messages; also the source of the rows.
        expected: Example of a record, for error messages.
        language: BCP 47 tag of the texts.

    Raises:
        ModelError: A record has an unknown form.
    """
    from dataset_builders.own_data.options import Options
    from dataset_builders.own_data.plain.records import RecordParser
    from dataset_builders.own_data.rejects import BadRecord
    from dataset_builders.schema import Dialogue

    if isinstance(records, str | bytes | dict) or not isinstance(records, Iterable):
        raise ModelError(f"{what} is a {type(records).__name__}: expected a list such as [{expected}]")
    parser, dropped = RecordParser(Options()), Counter[str]()

    def dialogues() -> Iterator[tuple[str, str, Dialogue]]:
        for number, record in enumerate(records):
            record = list(record) if isinstance(record, tuple) else record
            try:
                layout = parser.layout(record)
            except BadRecord as problem:
                raise ModelError(f"{what}[{number}]: {problem}; expected {expected}") from problem
            try:
                rows = parser.parse(record, layout)
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
    """Read dialogues from files or folders: JSON, JSONL, CSV, TSV, TXT, chat exports, also as .gz or .zip.

    Args:
        paths: A file or folder, or several.
        language: BCP 47 tag of rows without one of their own.
        options: Options of `dataset_builders.own_data.load`: `question_column`, `answer_column`, `encoding`,
            `max_bad_share`, `rejects`.

    Raises:
        ModelError: A path does not exist, a file cannot be read, too many records are bad, or an option is unknown.
    """
    from dataset_builders import own_data
    from dataset_builders.common.errors import DataError
    from dataset_builders.schema import Dialogue

    files = [Path(path).expanduser() for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        raise ModelError("the list of files is empty: expected a file, a folder or a list of them")
    if vectors := [path for path in files if path.suffix.lower() in SUFFIXES]:
        raise ModelError(f"{vectors[0]}: a file of embeddings, not texts: pass it to DialogueDataset.from_embeddings")
    names = [name for name in inspect.signature(own_data.load).parameters if name not in ("path", "name", "language")]
    if unknown := sorted(set(options) - set(names)):
        raise ModelError(f"the reader of files has no option {unknown[0]}; choose from {', '.join(names)}")
    rows = DialogueRows(_table([], language))
    tests = 0

    def dialogues() -> Iterator[tuple[str, str, Dialogue]]:
        nonlocal tests
        names: Counter[str] = Counter()
        for path in files:
            data = own_data.load(path, language=language, **options)
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

    try:
        rows.table = _table(dialogues(), language)
    except DataError as error:
        raise ModelError(str(error)) from error
    if tests:
        logger.warning("skipped %s dialogues of files named after a test split: they are not for training", tests)
        rows.dropped["of a test file"] = tests
    return rows


def pairs_of_rows(rows: DialogueRows, config: DialogueConfig) -> PairRows:
    """Form question -> answer pairs with their context from dialogues, and filter them.

    Each user turn that the system answers is a question.

    Args:
        rows: Dialogues.
        config: Number of context turns, and the filters.

    Raises:
        ModelError: `config.quality` is neither a preset nor a readable file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from dataset_builders.pairs.consecutive import make_pairs

    table: pa.Table = make_pairs(rows.table, config.context_turns, ["user-system"])
    pairs = PairRows(table, 0, Counter(rows.dropped))
    pairs.dropped["no turn of the user is answered"] = len(rows.table) - pc.count_distinct(table["dialogue_id"]).as_py()
    pairs.read = len(table) + pairs.dropped.total()
    if not config.support_multiturn:
        ids = table["dialogue_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        first = np.unique(ids, return_index=True)[1]
        pairs.dropped["a later exchange of a conversation"] = len(table) - len(first)
        pairs.table = table.take(pa.array(first))
    if config.enable_quality_filter and len(pairs.table):
        _drop_by_length(pairs, config)
        _screen(pairs, config)
    return pairs


def text_keys(texts: Sequence[str] | pa.Array) -> np.ndarray:
    """Hash n texts: int64 `[n]`, equal for texts that differ in case, punctuation and spacing only."""
    import pyarrow as pa

    from dataset_builders.text.normalize import text_hashes

    return text_hashes(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())).view(np.int64)


def pair_keys(table: pa.Table) -> np.ndarray:
    """Number n pairs: int64 `[n]`, equal for pairs with equal `text_keys` of both anchor and positive."""
    keys = [text_keys(table[column].combine_chunks()) for column in ("anchor", "positive")]
    return np.unique(np.stack(keys), axis=1, return_inverse=True)[1].reshape(-1)


def _drop_by_length(pairs: PairRows, config: DialogueConfig) -> None:
    import pyarrow.compute as pc

    for column, part in (("anchor", "question"), ("positive", "answer")):
        length = pc.utf8_length(pairs.table[column])
        short = pc.less(length, getattr(config, f"min_{part}_length"))
        long = pc.greater(length, getattr(config, f"max_{part}_length"))
        pairs.dropped[f"{part} shorter than min_{part}_length"] = pc.sum(short).as_py() or 0
        pairs.dropped[f"{part} longer than max_{part}_length"] = pc.sum(long).as_py() or 0
        pairs.table = pairs.table.filter(pc.invert(pc.or_(short, long)))


def _screen(pairs: PairRows, config: DialogueConfig) -> None:
    """Apply the quality filters of the corpora; cosine limits are applied later, to the embeddings."""
    import pyarrow.compute as pc

    from dataset_builders.common.errors import DataError
    from dataset_builders.quality.config import QualityConfig
    from dataset_builders.quality.screen import screen

    try:
        # users keep short answers on purpose; the length limits of `config` apply instead
        quality = QualityConfig.load(config.quality).with_min_words(0)
    except DataError as error:
        raise ModelError(f"quality: {error}") from error
    screened = screen("pairs", pairs.table, "train", quality)
    pairs.table = screened.rows
    pairs.dropped.update(screened.dropped["reason"].to_pylist())
    pairs.flagged.update(pc.list_flatten(screened.rows["flags"]).to_pylist())
    scores = screened.rows["quality"]
    for part in ("score", "length", "cleanness", "novelty"):
        mean = pc.mean(pc.struct_field(scores, part)).as_py()
        pairs.quality[part] = None if mean is None else round(mean, 4)


def _table(dialogues: Iterable[tuple[str, str, Dialogue]], language: str) -> pa.Table:
    """Convert (source, id, dialogue) to the columns that `make_pairs` reads, without blank turns."""
    import pyarrow as pa

    from dataset_builders.own_data.builder import PRIVATE

    rows: dict[str, list[Any]] = {"dialogue_id": [], "source": [], "language": [], "metadata": [], "domains": []}
    speakers: list[str] = []
    texts: list[str] = []
    ends = [0]
    for source, name, dialogue in dialogues:
        facts = (f"{source}/{name}", source, dialogue.language or language, dialogue.metadata, dialogue.domains)
        for column, fact in zip(rows.values(), facts, strict=True):
            column.append(fact)
        for turn in dialogue.turns:
            if text := turn.text.strip():
                speakers.append(turn.speaker)
                texts.append(text)
        ends.append(len(texts))
    turns = pa.StructArray.from_arrays(
        [pa.array(speakers, pa.string()), pa.array(texts, pa.string())], ["speaker", "text"]
    )
    domains = pa.array(rows.pop("domains"), pa.list_(pa.string()))
    count = len(ends) - 1
    return pa.table(
        {
            **{name: pa.array(values, pa.string()) for name, values in rows.items()},
            "domains": domains,
            "turns": pa.ListArray.from_arrays(pa.array(ends, pa.int32()), turns),
            **{name: pa.nulls(count, pa.string()) for name in ("cluster_id", "parallel_id", "origin")},
            "license": pa.repeat(pa.scalar(PRIVATE), count),
            "redistributable": pa.repeat(pa.scalar(False), count),
        }
    )
