"""Hard negatives for the training pairs: texts that are close to a question but do not answer it.

The candidates closest to the anchor are the hardest negatives, but some are unlabelled answers (false negatives).
NV-Retriever (Moreira et al. 2024, arXiv:2407.15831) drops candidates whose cosine with the anchor exceeds 95 % of that
of the positive ("TopK-PercPos"). This works if the encoder ranks answers well. In dialogues the true answer is rarely
the closest text (median cosine .36 on SGD): closer ones mostly repeat the question, and the rule would drop the hardest
true negatives. The criterion here is therefore a band of cosines with the POSITIVE, because a false negative says much
the same as the true answer. The paper's rule can be added (`max_share`).

Share of false negatives (same acts and slots as the true answer in the annotations of SGD, values aside; 1,500
questions, 10,000 candidates, all-MiniLM-L6-v2), and share of negatives closer to the question than the true answer:

    closest to the anchor     16.2 %   96 %
    the paper's rule, 95 %    12.3 %    1 %
    band .1 to .5              7.3 %   85 %
    band and rule              3.9 %    1 %

`sentence_transformers.util.mine_hard_negatives` has the paper's rule, but no limit on the cosine with the positive, and
does not know the dialogue, cluster, language or answer id of a candidate. It also reorders rows, and keeps in memory,
for every question, as many candidates as the most frequent question has answers ("Yes, that is correct.").
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
from dataset_builders.pairs.keys import Exclusions, PairKeys
from dataset_builders.schema import ARROW_SCHEMAS

if TYPE_CHECKING:
    from rich.progress import Progress

_BLOCK = 512
"""Pairs compared with all candidates at once; with 20,000 candidates this takes two matrices of 40 MB."""


@dataclass(frozen=True)
class NegativeOptions:
    """Criteria for negatives.

    Args:
        per_pair: Number of negatives for each pair, at least 1; fewer if too few candidates are in the band.
        low: Minimum cosine of negative and positive, in [-1, 1]; below it, a text is off topic.
        high: Maximum cosine of negative and positive, in [-1, 1]; above it, a text may have the same meaning.
        max_share: Maximum cosine of negative and anchor as a share of the cosine of positive and anchor (NV-Retriever
            uses .95); None for no limit.
        pool: Maximum number of candidates for each source, language and speaker, a random sample of the distinct
            answers.
        seed: Random seed of the sample.
    """

    per_pair: int = 1
    low: float = 0.1
    high: float = 0.5
    max_share: float | None = None
    pool: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_pair < 1 or self.pool < 1:
            raise DataError(
                f"hard negatives: {self.per_pair} per pair from a pool of {self.pool}; both must be at least 1"
            )
        if not -1 <= self.low < self.high <= 1:
            raise DataError(f"hard negatives: band {self.low} to {self.high}; expected -1 <= low < high <= 1")


@dataclass(frozen=True)
class Mined:
    """Result of `add_hard_negatives`.

    Attributes:
        pairs: Number of pairs.
        with_negatives: Number of pairs with at least one negative.
    """

    pairs: int
    with_negatives: int


@dataclass(frozen=True)
class _Part:
    """A part of the pairs, read on demand.

    Attributes:
        rows: Number of pairs.
        read: Reads the named columns.
    """

    rows: int
    read: Callable[[list[str]], pa.Table]


def mine(pairs: pa.Table, encoder: Encoder, options: NegativeOptions, progress: bool = False) -> pa.ListArray:
    """Mine negatives for each pair, hardest (closest to the anchor) first.

    Candidates are the other pairs' positives of the same source (hence the same licence), language, pair type and
    speaker. A negative never has the pair's `answer_id`, never occurs in its dialogue or cluster or as an answer to the
    same (normalised) anchor, and its cosines satisfy `options`.

    Args:
        pairs: Rows of the `pairs` config, from the train split only.
        encoder: Text encoder that gives the cosines.
        options: Criteria for negatives.
        progress: Show a progress bar on the error stream.

    Returns:
        List of negative texts for each pair; empty if no candidate qualifies.
    """
    starts = range(0, len(pairs), ROW_GROUP_ROWS)
    parts = [_part_of_table(pairs.slice(start, ROW_GROUP_ROWS)) for start in starts]
    return _lists(*_mine(parts, encoder, options, progress))


def add_hard_negatives(
    files: Sequence[Path], encoder: Encoder, options: NegativeOptions, progress: bool = False
) -> Mined:
    """Mine negatives for the pairs of a split and write them into its shards; rows and row groups stay the same.

    Needs memory for one row group, one pool of embeddings and about 50 bytes per pair. The new shards replace the old
    ones once all are written.

    Args:
        files: All shards of the split in order, as written by `ShardWriter`.
        encoder: Text encoder that gives the cosines.
        options: Criteria for negatives.
        progress: Show a progress bar on the error stream.

    Raises:
        DataError: The files are not all shards of one split.
    """
    parts = [part for file in files for part in _parts_of_file(file)]
    indices, texts = _mine(parts, encoder, options, progress)
    if files:
        folder, split = files[0].parent, files[0].name.partition("-")[0]
        with tempfile.TemporaryDirectory(prefix=".negatives-", dir=folder) as temporary:
            writer, start = ShardWriter(Path(temporary), split, ARROW_SCHEMAS["pairs"]), 0
            for part in parts:
                rows = part.read(ARROW_SCHEMAS["pairs"].names)
                best = indices[start : start + part.rows]
                hardest = texts.take(pa.array(best[:, 0], mask=best[:, 0] < 0))
                columns = {"negatives": _lists(best, texts), "negative": hardest}
                for name, column in columns.items():
                    rows = rows.set_column(rows.schema.get_field_index(name), name, column)
                writer.write(rows)
                start += part.rows
            shards = writer.close()
            if [shard.name for shard in shards] != [file.name for file in files]:
                raise DataError(f"{folder}: expected all shards of {split} in order; build the dataset again")
            for shard in shards:
                shard.replace(folder / shard.name)
    return Mined(len(indices), int((indices[:, 0] >= 0).sum()))


def _part_of_table(table: pa.Table) -> _Part:
    return _Part(len(table), table.select)


def _parts_of_file(file: Path) -> list[_Part]:
    metadata = pq.read_metadata(file)

    def part(group: int) -> _Part:
        # each read opens the file, so that the shards of a large dataset are not all open at once
        return _Part(
            metadata.row_group(group).num_rows, lambda names: pq.ParquetFile(file).read_row_group(group, columns=names)
        )

    return [part(group) for group in range(metadata.num_row_groups)]


def _lists(indices: np.ndarray, texts: pa.Array) -> pa.ListArray:
    """Texts of each row's indices, without those of -1."""
    mask = indices >= 0
    offsets = np.concatenate([[0], np.cumsum(mask.sum(1))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts.take(pa.array(indices[mask])))


def _mine(
    parts: list[_Part], encoder: Encoder, options: NegativeOptions, progress: bool
) -> tuple[np.ndarray, pa.Array]:
    """Mine negatives.

    Returns:
        Index of each negative in the texts, int32 of shape (pairs, per_pair), -1 for none; and the texts of all
        candidates.
    """
    keys = PairKeys.of(part.read for part in parts)
    ends = np.cumsum([part.rows for part in parts], dtype=np.int64)
    indices = np.full((len(keys.group), options.per_pair), -1, np.int32)
    groups, first = np.unique(keys.group, return_index=True)
    texts: list[str] = []
    with _bar(progress) as bar:
        task = bar.add_task("hard negatives", total=len(indices))
        for group in groups[np.argsort(first)]:
            rows = np.flatnonzero(keys.group == group)
            candidate_keys, pool = np.unique(keys.text[rows], return_index=True)
            if len(pool) > options.pool:
                generator = np.random.default_rng([options.seed, int(group)])
                sample = np.sort(generator.choice(len(pool), options.pool, replace=False))
                candidate_keys, pool = candidate_keys[sample], pool[sample]
            candidate = np.searchsorted(candidate_keys, keys.text[rows]).clip(max=len(candidate_keys) - 1)
            in_pool = candidate_keys[candidate] == keys.text[rows]
            exclusions = [
                (key, Exclusions(key[rows[in_pool]], candidate[in_pool]))
                for key in (keys.answer, keys.origin, keys.anchor)
            ]
            candidates = np.full(len(pool), "", dtype=object)
            for part_rows, table in _read(parts, ends, np.sort(rows[pool]), ["positive"]):
                candidates[np.searchsorted(candidate_keys, keys.text[part_rows])] = table["positive"].to_pylist()
            embeddings = _encode(candidates.tolist(), encoder, bar)
            for part_rows, table in _read(parts, ends, rows, ["anchor", "positive"]):
                for start in range(0, len(part_rows), _BLOCK):
                    block, pairs = part_rows[start : start + _BLOCK], table.slice(start, _BLOCK)
                    anchors, positives = (encoder.encode(pairs[name].to_pylist()) for name in ("anchor", "positive"))
                    scores = _scores(anchors, positives, embeddings, options)
                    for key, excluded in exclusions:
                        scores[excluded.of(key[block])] = -np.inf
                    best = _best(scores, options.per_pair)
                    indices[block, : best.shape[1]] = np.where(best < 0, -1, best + len(texts))
                    bar.advance(task, len(block))
            texts += candidates.tolist()
    return indices, pa.array(texts, pa.string())


def _read(
    parts: list[_Part], ends: np.ndarray, rows: np.ndarray, columns: list[str]
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Read columns of some rows, part by part.

    Args:
        parts: All parts.
        ends: Number of rows up to the end of each part.
        rows: Row numbers, ascending.
        columns: Names of the columns.

    Yields:
        Numbers of the rows in a part, and their columns.
    """
    for part, end in zip(parts, ends, strict=True):
        part_rows = rows[np.searchsorted(rows, end - part.rows) : np.searchsorted(rows, end)]
        if len(part_rows):
            yield part_rows, part.read(columns).take(pa.array(part_rows - (end - part.rows)))


def _scores(anchors: np.ndarray, positives: np.ndarray, embeddings: np.ndarray, options: NegativeOptions) -> np.ndarray:
    """Cosines of anchors and candidates, float32 of shape (pairs, candidates); -inf for those that do not qualify."""
    scores, to_positive = anchors @ embeddings.T, positives @ embeddings.T
    outside = (to_positive < options.low) | (to_positive > options.high)
    if options.max_share is not None:
        true = (anchors * positives).sum(1)
        # a share of a negative cosine would be above it, so the limit is lowered instead (as in sentence-transformers)
        outside |= scores > (true - np.abs(true) * (1 - options.max_share))[:, None]
    scores[outside] = -np.inf
    return scores


def _best(scores: np.ndarray, number: int) -> np.ndarray:
    """Columns of the highest scores in each row, best first and the first of equal ones; -1 for none."""
    number = min(number, scores.shape[1])
    columns = np.argpartition(-scores, number - 1, axis=1)[:, :number]
    columns.sort(axis=1)
    top = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-top, axis=1, kind="stable")
    best = np.take_along_axis(columns, order, axis=1)
    return np.where(np.isneginf(np.take_along_axis(top, order, axis=1)), -1, best)


def _encode(texts: list[str], encoder: Encoder, bar: Progress) -> np.ndarray:
    """Encode texts in batches, so that the bar moves."""
    task = bar.add_task("encode candidates", total=len(texts))
    batches = []
    for start in range(0, len(texts), 2 * _BLOCK):
        batches.append(encoder.encode(texts[start : start + 2 * _BLOCK]))
        bar.advance(task, len(batches[-1]))
    bar.remove_task(task)
    return np.concatenate(batches)


def _bar(show: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not show)
