"""Hard negatives for the training pairs: answers that stand near a question, yet do not answer it.

Negatives nearest to the anchor are the hardest, but some of them are answers that nobody marked as such. NV-Retriever
(Moreira et al. 2024, arXiv:2407.15831) drops candidates too near to the anchor, measured by the cosine of anchor and
positive ("TopK-PercPos", 95 %): right where the encoder finds answers by itself. In dialogues the true answer seldom
stands nearest (median cosine .36 on SGD), what stands nearer mostly repeats the question, and the rule throws away the
hardest true negatives. So the band here is laid around the POSITIVE, where false negatives are: what says the same as
the true answer is near to it. The rule of the paper can be added (`max_share`).

Share of negatives that do what the true answer does (equal acts and slots in the annotations of SGD, values aside;
1,500 questions, 10,000 candidates, all-MiniLM-L6-v2), and share nearer to the question than the true answer is:

    nearest to the anchor     16.2 %   96 %
    the paper's rule, 95 %    12.3 %    1 %
    band .1 to .5              7.3 %   85 %
    band and rule              3.9 %    1 %

`sentence_transformers.util.mine_hard_negatives` has the paper's rule, but no bound to the positive, no notion of the
dialogue, cluster, language or answer that a candidate comes from; it reorders rows, and keeps for every question as
many candidates as the most repeated question has answers ("Yes, that is correct."), all in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.common.errors import DataError
from dataset_builders.folder.parquet import ROW_GROUP_ROWS, ShardWriter
from dataset_builders.pairs.encoder import Encoder
from dataset_builders.pairs.keys import Barred, PairKeys
from dataset_builders.schema import ARROW_SCHEMAS

if TYPE_CHECKING:
    from rich.progress import Progress

_BLOCK = 512
"""Pairs compared with all candidates at once: with 20,000 of them two matrices of 40 MB."""


@dataclass(frozen=True)
class NegativeOptions:
    """How negatives are chosen.

    Args:
        per_pair: Negatives of a pair; fewer where too few candidates stand in the band.
        low: Lowest cosine of a negative and the positive: below, it is off the subject.
        high: Highest cosine of a negative and the positive: above, it may well say the same.
        max_share: Highest cosine of a negative and the anchor, as a share of that of positive and anchor (NV-Retriever
            uses .95); no limit when None.
        pool: Candidates of a source, language and speaker at most; a seeded sample of the distinct answers.
        seed: Of that sample.
    """

    per_pair: int = 1
    low: float = 0.1
    high: float = 0.5
    max_share: float | None = None
    pool: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_pair < 1 or self.pool < 1:
            raise DataError(f"hard negatives: {self.per_pair} per pair from a pool of {self.pool}; both are at least 1")
        if not -1 <= self.low < self.high <= 1:
            raise DataError(f"hard negatives: band {self.low} to {self.high}; expected -1 <= low < high <= 1")


@dataclass(frozen=True)
class Mined:
    """How many pairs there were, and how many of them got at least one negative."""

    pairs: int
    with_negatives: int


@dataclass(frozen=True)
class _Part:
    """So many pairs, of which columns can be read."""

    rows: int
    read: Callable[[list[str]], pa.Table]


def mine(pairs: pa.Table, encoder: Encoder, options: NegativeOptions, progress: bool = False) -> pa.ListArray:
    """Negatives of each pair, hardest (nearest to the anchor) first.

    A negative is another positive of these pairs, of the same source (so under the same licence), language, pair type
    and speaker. It never has the pair's `answer_id`, never occurs in its dialogue or cluster or as an answer to the
    same (normalised) anchor, and stands in the band of the options.

    Args:
        pairs: Rows of the `pairs` config; give those of the train split only.
        encoder: Gives the cosines.
        options: How negatives are chosen.
        progress: Show a bar on the error stream.

    Returns:
        Lists of texts, one a row; empty where nothing stands in the band.
    """
    starts = range(0, len(pairs), ROW_GROUP_ROWS)
    parts = [_part_of_table(pairs.slice(start, ROW_GROUP_ROWS)) for start in starts]
    chosen, texts = _mine(parts, encoder, options, progress)
    return _lists(chosen, texts)


def add_hard_negatives(
    files: Sequence[Path], encoder: Encoder, options: NegativeOptions, progress: bool = False
) -> Mined:
    """Mine negatives for the pairs of a split and write them into its shards, rows and row groups as they were.

    Memory holds one row group, one pool of vectors and some 50 bytes a pair. The new shards are written aside and take
    the place of the old when all are there.

    Args:
        files: All shards of the split, in order, as `ShardWriter` named them.
        encoder: Gives the cosines.
        options: How negatives are chosen.
        progress: Show a bar on the error stream.

    Raises:
        DataError: The files are not all shards of one split.
    """
    parts = [part for file in files for part in _parts_of_file(file)]
    chosen, texts = _mine(parts, encoder, options, progress)
    if files:
        folder, split = files[0].parent, files[0].name.partition("-")[0]
        with tempfile.TemporaryDirectory(prefix=".negatives-", dir=folder) as aside:
            writer, start = ShardWriter(Path(aside), split, ARROW_SCHEMAS["pairs"]), 0
            for part in parts:
                rows = part.read(ARROW_SCHEMAS["pairs"].names)
                negatives = _lists(chosen[start : start + part.rows], texts)
                writer.write(rows.set_column(rows.schema.get_field_index("negatives"), "negatives", negatives))
                start += part.rows
            shards = writer.close()
            if [shard.name for shard in shards] != [file.name for file in files]:
                raise DataError(f"{folder}: expected all shards of {split} in order; build the dataset again")
            for shard in shards:
                shard.replace(folder / shard.name)
    return Mined(len(chosen), int((chosen[:, 0] >= 0).sum()))


def _part_of_table(table: pa.Table) -> _Part:
    return _Part(len(table), table.select)


def _parts_of_file(file: Path) -> list[_Part]:
    metadata = pq.read_metadata(file)

    def part(group: int) -> _Part:
        # opened by each read: the shards of a large dataset are not all open at once
        return _Part(
            metadata.row_group(group).num_rows, lambda names: pq.ParquetFile(file).read_row_group(group, columns=names)
        )

    return [part(group) for group in range(metadata.num_row_groups)]


def _lists(chosen: np.ndarray, texts: pa.Array) -> pa.ListArray:
    taken = chosen >= 0
    offsets = np.concatenate([[0], np.cumsum(taken.sum(1))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts.take(pa.array(chosen[taken])))


def _mine(
    parts: list[_Part], encoder: Encoder, options: NegativeOptions, progress: bool
) -> tuple[np.ndarray, pa.Array]:
    """int32 `[pairs, per_pair]`, places in the texts, -1 for none; and the texts of all candidates."""
    keys = PairKeys.of(part.read for part in parts)
    ends = np.cumsum([part.rows for part in parts], dtype=np.int64)
    chosen = np.full((len(keys.group), options.per_pair), -1, np.int32)
    groups, first = np.unique(keys.group, return_index=True)
    texts: list[str] = []
    with _bar(progress) as bar:
        mined = bar.add_task("hard negatives", total=len(chosen))
        for group in groups[np.argsort(first)]:
            rows = np.flatnonzero(keys.group == group)
            known, pool = np.unique(keys.text[rows], return_index=True)
            if len(pool) > options.pool:
                generator = np.random.default_rng([options.seed, int(group)])
                kept = np.sort(generator.choice(len(pool), options.pool, replace=False))
                known, pool = known[kept], pool[kept]
            place = np.searchsorted(known, keys.text[rows]).clip(max=len(known) - 1)
            uses = known[place] == keys.text[rows]
            barred = [(key, Barred(key[rows[uses]], place[uses])) for key in (keys.answer, keys.place, keys.anchor)]
            candidates = np.full(len(pool), "", dtype=object)
            for inside, table in _read(parts, ends, np.sort(rows[pool]), ["positive"]):
                candidates[np.searchsorted(known, keys.text[inside])] = table["positive"].to_pylist()
            vectors = _encode(candidates.tolist(), encoder, bar)
            for inside, table in _read(parts, ends, rows, ["anchor", "positive"]):
                for start in range(0, len(inside), _BLOCK):
                    block = inside[start : start + _BLOCK]
                    said = table.slice(start, _BLOCK)
                    anchors, positives = (encoder.encode(said[side].to_pylist()) for side in ("anchor", "positive"))
                    scores = _scores(anchors, positives, vectors, options)
                    for key, known_with in barred:
                        scores[known_with.of(key[block])] = -np.inf
                    best = _best(scores, options.per_pair)
                    chosen[block, : best.shape[1]] = np.where(best < 0, -1, best + len(texts))
                    bar.advance(mined, len(block))
            texts += candidates.tolist()
    return chosen, pa.array(texts, pa.string())


def _read(
    parts: list[_Part], ends: np.ndarray, rows: np.ndarray, columns: list[str]
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """The parts that hold some of the ascending `rows`: their row numbers and columns."""
    for part, end in zip(parts, ends, strict=True):
        inside = rows[np.searchsorted(rows, end - part.rows) : np.searchsorted(rows, end)]
        if len(inside):
            yield inside, part.read(columns).take(pa.array(inside - (end - part.rows)))


def _scores(anchors: np.ndarray, positives: np.ndarray, vectors: np.ndarray, options: NegativeOptions) -> np.ndarray:
    """Cosines of anchors and candidates, float32 `[pairs, candidates]`; -inf outside of the band."""
    scores, to_positive = anchors @ vectors.T, positives @ vectors.T
    outside = (to_positive < options.low) | (to_positive > options.high)
    if options.max_share is not None:
        true = (anchors * positives).sum(1)
        # a negative cosine has no share: the limit then lies below it by as much (as in sentence-transformers)
        outside |= scores > (true - np.abs(true) * (1 - options.max_share))[:, None]
    scores[outside] = -np.inf
    return scores


def _best(scores: np.ndarray, number: int) -> np.ndarray:
    """Columns of the highest scores of each row, best first, the first of equals; -1 for none."""
    number = min(number, scores.shape[1])
    part = np.argpartition(-scores, number - 1, axis=1)[:, :number]
    part.sort(axis=1)
    found = np.take_along_axis(scores, part, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    best = np.take_along_axis(part, order, axis=1)
    return np.where(np.isneginf(np.take_along_axis(found, order, axis=1)), -1, best)


def _encode(texts: list[str], encoder: Encoder, bar: Progress) -> np.ndarray:
    """In pieces, so that the bar moves."""
    task = bar.add_task("encode candidates", total=len(texts))
    vectors = []
    for start in range(0, len(texts), 2 * _BLOCK):
        vectors.append(encoder.encode(texts[start : start + 2 * _BLOCK]))
        bar.advance(task, len(vectors[-1]))
    bar.remove_task(task)
    return np.concatenate(vectors)


def _bar(show: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not show)
