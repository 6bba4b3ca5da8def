"""The survey of the intent sets, which fit into memory: equal utterances over all of them, and their splits."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.common.errors import DataError
from dataset_builders.common.storage import Storage
from dataset_builders.survey.decisions import Decisions, Survey, shard_name
from dataset_builders.survey.keys import hash_utterances
from dataset_builders.survey.leaks import DROPPED, TEST, TRAIN, SplitPolicy, count_leaks, duplicate_matrix, group_splits
from dataset_builders.survey.parallel import Parallel
from dataset_builders.survey.parsed import ParsedSource, official_splits, read_rows, read_splits
from dataset_builders.survey.rows import IntentSet, Rows, copy_rows
from dataset_builders.survey.splits import assign, split_by_row
from dataset_builders.text.normalize import ids_of_hashes


def survey_intents(
    parsed: Sequence[ParsedSource], policy: SplitPolicy, seed: int, results: Storage
) -> tuple[Survey, np.ndarray]:
    """Decide the splits of the rows of all intent sets.

    Args:
        parsed: The intent sets.
        policy: See `leaks.SplitPolicy`; `original` acts like `official` here.
        seed: Random seed of the splits of sets without official ones.
        results: Where to write the decisions.

    Returns:
        The survey, and the hashes of the test utterances that must not occur in a pretraining pair: all but small talk.

    Raises:
        DataError: Two different records of a set have the same id.
    """
    sets = [_read(source) for source in parsed]
    rows, parallel = Rows.of(sets), Parallel.of([each.table for each in sets])
    texts = ids_of_hashes(rows.hashes)
    split = assign(rows.official, rows.hashes, texts, rows.ids, rows.source, policy, seed, parallel)
    before = split_by_row(rows.official, rows.ids, rows.source, seed)
    undropped = np.where(rows.official >= TRAIN, rows.official, split).astype(np.int8)
    group = parallel.with_splits(group_splits(rows.hashes, undropped), undropped)
    leaks = (split == DROPPED) & (rows.official != DROPPED)
    blocking = parallel.blocking(rows.hashes, rows.official, group)
    table = rows.table(split, leaks, blocking, group.earliest != group.latest)
    for each, (name, start, length) in zip(sets, rows.ranges(), strict=True):
        decisions = copy_rows(table, start, length)
        decisions = decisions.append_column("repeated", pa.array(each.repeated))
        decisions = decisions.append_column("length", pa.array(np.ones(length, np.int64)))
        Decisions(decisions).save(results, shard_name(name, 0))
    leaking = {
        time: {
            "text": count_leaks(rows.hashes, splits, rows.source, rows.names),
            "translated text": parallel.leaks(splits, rows.source, rows.names),
        }
        for time, splits in (("before", before), ("after", split))
    }
    matrix = {"downstream": duplicate_matrix(rows.hashes, rows.source, rows.names)}
    is_small_talk = np.concatenate([np.zeros(0, bool), *map(_is_small_talk, sets)])
    benchmark = np.unique(rows.hashes[(split == TEST) & ~is_small_talk])
    return Survey(results, leaking, matrix, [], {}), benchmark


def _read(source: ParsedSource) -> IntentSet:
    maps: list[mmap.mmap] = []
    table = pa.concat_tables([read_rows(source.storage, part, maps) for part in source.parts])
    lengths, hashes, _ = hash_utterances(table, maps)
    splits = [read_splits(source.storage, part) for part in source.parts]
    split, without = (np.concatenate(values) for values in zip(*splits, strict=True))
    repeated = _repeated(source.builder.INFO.name, table.column(0), hashes)
    official = official_splits(split, without, lengths, repeated)
    return IntentSet(source.builder.INFO, table, official, hashes, repeated)


def _repeated(name: str, ids: pa.ChunkedArray, hashes: np.ndarray) -> np.ndarray:
    """Whether an earlier row has the same id, bool of shape (n,). Without those, ids are unique, as joins need it."""
    repeated, first = np.zeros(len(ids), bool), dict[str, int]()
    for row, key in enumerate(ids.to_pylist()):
        earlier = first.setdefault(key, row)
        if earlier != row:
            repeated[row] = True
            if hashes[row] != hashes[earlier]:
                raise DataError(
                    f"{name}: two different records have the id {key!r}; the raw folder mixes two releases, keep one"
                )
    return repeated


def _is_small_talk(source: IntentSet) -> np.ndarray:
    """Whether each row of an intent set is small talk (`SourceInfo.small_talk`), bool of shape (rows,)."""
    info = source.info
    labels = pa.array([f"{info.name}/{label}" for label in info.small_talk], pa.string())
    return np.asarray(pc.is_in(source.table["label"], labels)) if len(labels) else np.zeros(len(source), bool)
