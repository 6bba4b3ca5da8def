"""Own dialogues that repeat held-back ones of the same build, whatever their source is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from push_scripts.dataset_folder import row_groups

LONG_COPY = 20
"""Minimum number of words of a turn, or of two turns in a row, that make a dialogue a copy. Set phrases of two speakers
who never met ("Is there anything else I can help you with?" "No, that is all, thank you!") are shorter."""

_WORD = re.compile(r"\w+")
_TEXTS: tuple[list[str], ...] = (["turns"], ["anchor", "positive"], ["utterance"])
_IDS = ("dialogue_id", "utterance_id", "pair_id")

Mask = Callable[[pa.Table], pa.ChunkedArray]


def find_copies(
    files: Sequence[Path], notes: Sequence[Path], keys: Sequence[str], passes: Mask, own_sources: Collection[str]
) -> pa.Table:
    """Find the own dialogues and utterances that pass, but repeat held-back ones.

    The build has found near-duplicate dialogues: they are in one cluster. Dialogues that have only a part in common are
    found by equal turns, regardless of case and punctuation.

    Args:
        files: Parquet files of the rows.
        notes: Parquet files of tables about them.
        keys: Columns that `passes` reads.
        passes: Function that returns a mask of the rows that may be published.
        own_sources: Sources that this project does not read: what they contain is the user's word.

    Returns:
        `source` and `id`, unique.
    """
    names = pa.array(sorted(own_sources), pa.string())

    def own(rows: pa.Table) -> pa.ChunkedArray:
        return pc.and_(passes(rows), pc.is_in(rows["source"], names))

    def restricted(rows: pa.Table) -> pa.ChunkedArray:
        return pc.invert(passes(rows))

    copies: set[tuple[str, str]] = set()
    if own_sources:
        clusters = pa.array(sorted(_clusters([*files, *notes], keys, restricted)), pa.string())
        for rows in row_groups([*files, *notes] if len(clusters) else [], [*keys, "cluster_id"]):
            if "cluster_id" in rows.column_names:
                copies.update(_names(rows.filter(pc.and_(own(rows), pc.is_in(rows["cluster_id"], clusters)))))
        if texts := {key for key, _ in _long_texts(files, keys, restricted)}:
            copies.update(name for key, name in _long_texts(files, keys, own) if key in texts)
    sources, ids = zip(*sorted(copies), strict=True) if copies else ((), ())
    return pa.table({"source": pa.array(sources, pa.string()), "id": pa.array(ids, pa.string())})


def _clusters(files: Sequence[Path], keys: Sequence[str], select: Mask) -> set[str]:
    """Return the clusters of the selected rows."""
    clusters: set[str] = set()
    for rows in row_groups(files, [*keys, "cluster_id"]):
        if "cluster_id" in rows.column_names:
            clusters.update(rows["cluster_id"].filter(select(rows)).drop_null().unique().to_pylist())
    return clusters


def _names(rows: pa.Table) -> list[tuple[str, str]]:
    """Return source and id of rows: that of the dialogue, if there is one."""
    ids = pc.coalesce(*(rows[name] for name in _IDS if name in rows.column_names))
    return list(zip(rows["source"].to_pylist(), ids.to_pylist(), strict=True))


def _long_texts(files: Sequence[Path], keys: Sequence[str], select: Mask) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield a hash of each long text in the selected rows, and the source and id of its row."""
    for file in files:
        columns = next(columns for columns in _TEXTS if set(columns) <= set(pq.read_schema(file).names))
        for names, rows in zip(row_groups([file], keys), _lazy_row_groups(file, columns), strict=True):
            mask = select(names)
            if pc.any(mask).as_py():
                cells = (rows().filter(mask)[column].to_pylist() for column in columns)
                for name, *texts in zip(_names(names.filter(mask)), *cells, strict=True):
                    if columns == ["turns"]:
                        texts = [turn["text"] for turn in texts[0] or []]
                    for key in _keys(texts):
                        yield key, name


def _lazy_row_groups(file: Path, columns: Sequence[str]) -> Iterator[Callable[[], pa.Table]]:
    """Yield a function for each row group that reads it: texts are most of a file."""
    with pq.ParquetFile(file) as table:
        for group in range(table.num_row_groups):
            yield partial(table.read_row_group, group, columns=columns)


def _keys(texts: Sequence[str | None]) -> Iterator[int]:
    turns = [_WORD.findall((text or "").casefold()) for text in texts]
    for words in (*turns, *(a + b for a, b in pairwise(turns))):
        if len(words) >= LONG_COPY:
            yield hash(" ".join(words))
