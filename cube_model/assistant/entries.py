"""The entries of an assistant: questions with their answers, from a dataset, own files, or one pair.

>>> entries = entries_of_pairs([("When is breakfast?", "From seven to ten.")], language="en")
>>> entries["answer"].to_pylist()
['From seven to ten.']
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.encoding import CONTEXT_TURNS
from cube_model.assistant.templates import with_templates
from cube_model.data.hub import MissingColumnsError, read_rows, split_names
from cube_model.data.pairs import NoPairsError, read_pairs_table
from cube_model.data.selection import chosen_rows, is_spoken
from cube_model.errors import ModelError
from dataset_builders.common.reading import regular, text_lines

if TYPE_CHECKING:
    import os

    import pyarrow as pa

    from cube_model.assistant.config import AssistantConfig

OWN_SOURCE = "own"
"""Source of a single pair that a user adds."""

PRIVATE = "LicenseRef-private"
"""Licence of a user's own rows, which are never pushed; that of `dataset_builders`."""

_PAIRS = {
    "anchor": "question",
    "positive": "answer",
    "dialogue_id": "dialogue_id",
    "source": "source",
    "language": "language",
    "license": "license",
    "redistributable": "redistributable",
}
"""Columns of the entries by the columns of the `pairs` config."""

_OPTIONAL = ("domains", "metadata")
"""Columns that older datasets lack."""

_SERVICE = re.compile(r"_\d+$")
"""End of the name of a service, as SGD numbers those of a domain: `Hotels_1` and `Hotels_2` answer like questions."""


def schema() -> pa.Schema:
    """Return the columns of the entries.

    Equal questions with equal answers of one source have one `id`, a digest of the three, so that adding a pair twice
    changes nothing. `metadata` is a JSON object. `template` is the answer with names in place of the values of slots;
    null where no slot is annotated.
    """
    import pyarrow as pa

    texts = ("id", "question", "answer", "dialogue_id", "source", "language", "license")
    return pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("redistributable", pa.bool_()),
            ("context", pa.list_(pa.string())),
            ("domains", pa.list_(pa.string())),
            ("metadata", pa.string()),
            ("template", pa.string()),
        ]
    )


@dataclass(frozen=True)
class EntryRows:
    """What an assistant answers from, and what it is calibrated on.

    Attributes:
        index: n entries, with the columns of `schema`.
        held_out: Entries of the validation split that are not in `index`; their questions are asked to calibrate.
        is_single: bool `[n]`: whether an entry is of a source with one question in each dialogue, such as a FAQ.
        out_of_scope: Questions that the user or the dataset marks as those that must be refused.
    """

    index: pa.Table
    held_out: pa.Table
    is_single: np.ndarray
    out_of_scope: list[str]


def read_entries(config: AssistantConfig) -> EntryRows:
    """Read the entries of a build.

    Raises:
        ModelError: A dataset or a file cannot be read, or there is no answer.
    """
    import pyarrow as pa

    parts = []
    if config.data is not None:
        parts.append(_of_dataset(config))
    if config.own:
        parts.append(_of_files(config.own, config.language))
    table = pa.concat_tables([table for table, _ in parts])
    split = np.concatenate([splits for _, splits in parts])
    if config.languages:
        spoken = np.array([is_spoken(tag, config.languages) for tag in table["language"].to_pylist()], bool)
        if not spoken.any():
            there = ", ".join(sorted(set(table["language"].to_pylist())))
            raise ModelError(f"--languages {','.join(config.languages)}: no answer in them; there is {there}")
        table, split = table.filter(pa.array(spoken)), split[spoken]
    is_single = single_entries(table)
    used = np.isin(split, config.splits) if config.splits else (split == "train") | is_single
    if not used.any():  # of a dataset without a train split
        used = split != "test"
    index, is_single = _distinct(table.filter(pa.array(used)), is_single[used])
    rows = chosen_rows(np.arange(len(index)), config.max_answers, config.seed)
    if not len(rows):
        raise ModelError(
            "no question with an answer to build an assistant from; see --splits, --sources and --languages"
        )
    held_out = table.filter(pa.array((split == "validation") & ~used))
    index = index.take(rows)
    if config.data is not None:
        index = with_templates(index, config.data, sorted(set(split[used])))
    return EntryRows(index, held_out, is_single[rows], _out_of_scope(config))


def entries_of_pairs(
    pairs: Iterable[tuple[str, str]], *, source: str = OWN_SOURCE, language: str = "und", metadata: str | None = None
) -> pa.Table:
    """Return the entries of questions and answers in memory; they are private.

    Args:
        pairs: Questions with their answers.
        source: Name of their source.
        language: BCP 47 tag.
        metadata: JSON object of each, for `where`.

    Raises:
        ModelError: A question or an answer is empty.
    """
    import pyarrow as pa

    rows = []
    for question, answer in pairs:
        if not (question.strip() and answer.strip()):
            raise ModelError("a question or its answer is empty; pass both, such as --question Q --answer A")
        rows.append({"question": question.strip(), "answer": answer.strip()})
    facts: dict[str, Any] = {"source": source, "language": language, "license": PRIVATE, "redistributable": False}
    facts |= {"context": [], "domains": [], "metadata": metadata, "template": None}
    ids = [entry_id(source, row["question"], row["answer"]) for row in rows]
    table = [{"id": id, "dialogue_id": f"{source}/{id}", **row, **facts} for id, row in zip(ids, rows, strict=True)]
    return pa.Table.from_pylist(table, schema())


def entries_of_files(paths: Sequence[str | os.PathLike[str]], language: str = "und") -> pa.Table:
    """Read the entries of own files, in every form that `dialogue-cube build --own` reads.

    Raises:
        ModelError: A file cannot be read, or holds no question with an answer.
    """
    return _distinct(_of_files(list(paths), language)[0])[0]


def single_entries(table: pa.Table) -> np.ndarray:
    """Return whether each of n entries is of a source in which each dialogue is one question with its answer."""
    counts = table.group_by(["source", "dialogue_id"]).aggregate([([], "count_all")])
    largest = counts.group_by("source").aggregate([("count_all", "max")])
    sources = table["source"].to_pylist()
    with_context = {source for source, turns in zip(sources, table["context"].to_pylist(), strict=True) if turns}
    single = {row["source"] for row in largest.to_pylist() if row["count_all_max"] == 1} - with_context
    return np.array([source in single for source in sources], bool)


def entry_id(source: str, question: str, answer: str) -> str:
    """Return the id of an entry: 16 hexadecimal digits."""
    content = "\0".join((source, question, answer)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[:16]


def metadata_of(text: str | None) -> dict[str, Any]:
    """Return the metadata of an entry; empty if it has none."""
    return dict(json.loads(text)) if text else {}


def _of_dataset(config: AssistantConfig) -> tuple[pa.Table, np.ndarray]:
    import pyarrow as pa

    data = str(config.data)
    tables, splits = [], []
    last_error: NoPairsError | None = None
    for split in split_names(data):
        if split == "test" and "test" not in (config.splits or ["test"]):
            continue
        try:
            table, rows = _read_pairs(data, split, config.sources)
        except NoPairsError as error:  # a source need not be in every split
            last_error = error
            continue
        tables.append(_entries(table.take(rows)))
        splits += [split] * len(rows)
    if not tables:
        raise last_error or ModelError(f"{data}: no pairs")
    return pa.concat_tables(tables), np.array(splits)


def _read_pairs(data: str, split: str, sources: Sequence[str] | None) -> tuple[pa.Table, np.ndarray]:
    columns = (*_PAIRS, "context", "anchor_speaker", "positive_speaker")
    try:
        return read_pairs_table(data, split, (*columns, *_OPTIONAL), sources)
    except MissingColumnsError as error:
        if not set(error.columns) <= set(_OPTIONAL):
            raise
        optional = [name for name in _OPTIONAL if name not in error.columns]
        return read_pairs_table(data, split, (*columns, *optional), sources)


def _of_files(paths: Sequence[str | os.PathLike[str]], language: str) -> tuple[pa.Table, np.ndarray]:
    from cube_model.data.config import DialogueConfig
    from cube_model.data.own_rows import pairs_of_rows, rows_of_files

    rows = rows_of_files(paths, language)
    config = DialogueConfig(enable_quality_filter=False, context_turns=CONTEXT_TURNS)
    table = pairs_of_rows(rows, config).table
    if not len(table):
        raise ModelError(f"{', '.join(map(str, paths))}: no question with an answer")
    entries = _entries(table)
    held_out = (
        np.isin(entries["dialogue_id"].to_numpy(), rows.held_out) if rows.held_out else np.zeros(len(table), bool)
    )
    return entries, np.where(held_out, "validation", "train")


def domains_of(names: Sequence[str] | None) -> list[str] | None:
    """Return the domains of services.

    >>> domains_of(["Hotels_2", "Hotels_4", "taxi"])
    ['Hotels', 'taxi']
    """
    return None if names is None else list(dict.fromkeys(_SERVICE.sub("", name) for name in names))


def _entries(pairs: pa.Table) -> pa.Table:
    """Rows of the `pairs` config as entries."""
    import pyarrow as pa

    columns = {ours: pairs[theirs] for theirs, ours in _PAIRS.items()}
    columns["context"] = _last_turns(pairs["context"], CONTEXT_TURNS)
    for name in _OPTIONAL:
        columns[name] = pairs[name] if name in pairs.column_names else pa.nulls(len(pairs))
    services = columns["domains"].to_pylist()
    columns["domains"] = pa.array([domains_of(names) for names in services], pa.list_(pa.string()))
    texts = zip(*(columns[name].to_pylist() for name in ("source", "question", "answer")), strict=True)
    columns["template"] = pa.nulls(len(pairs))
    columns["id"] = pa.array([entry_id(*row) for row in texts], pa.string())
    table = pa.table({field.name: columns[field.name].cast(field.type) for field in schema()})
    return table.replace_schema_metadata(None)


def _last_turns(column: pa.ChunkedArray, count: int) -> pa.Array:
    """The texts of the last turns of each list of turns."""
    import pyarrow as pa

    lists = column.combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    starts, ends = np.asarray(lists.offsets[:-1]), np.asarray(lists.offsets[1:])
    starts = np.maximum(starts, ends - count)
    lengths = ends - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    texts = lists.values.field("text").take(pa.array(rows))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts)


def _distinct(table: pa.Table, flags: np.ndarray | None = None) -> tuple[pa.Table, np.ndarray]:
    """The first entry of each id, and the flags of those."""
    import pyarrow as pa

    first = np.sort(np.unique(table["id"].to_numpy(), return_index=True)[1])
    flags = np.zeros(len(table), bool) if flags is None else flags
    return table.take(pa.array(first)).combine_chunks(), flags[first]


def out_of_scope_questions(file: str) -> list[str]:
    """Read the questions of `--out-of-scope`, one a line.

    Raises:
        ModelError: The file cannot be read, or has none.
    """
    path = Path(file)
    try:
        lines = [line.strip() for line in text_lines(regular(path).read_text(encoding="utf-8-sig"))]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"--out-of-scope {path}: cannot be read as UTF-8 text; write one question a line") from error
    if not any(lines):
        raise ModelError(f"--out-of-scope {path}: no questions; write one a line")
    return [line for line in lines if line]


def _out_of_scope(config: AssistantConfig) -> list[str]:
    """Questions of the user's file, else those that the dataset marks, without its test split."""
    if config.out_of_scope is not None:
        return out_of_scope_questions(config.out_of_scope)
    if config.data is None:
        return []
    texts: list[str] = []
    columns = ("utterance", "is_out_of_scope", "language", "source")
    for split in ("train", "validation"):
        with suppress(ModelError):  # a dataset without intents
            rows = read_rows(config.data, "downstream", split, columns).to_pylist()
            texts += [
                row["utterance"]
                for row in rows
                if row["is_out_of_scope"]
                and is_spoken(row["language"], config.languages)
                and (config.sources is None or row["source"] in config.sources)
            ]
    return list(dict.fromkeys(texts))
