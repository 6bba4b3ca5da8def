"""Rows of parsed sources -> parquet: what the survey decided is applied, the filters judge, pairs are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.common.processes import in_order
from dataset_builders.corpus.counts import REPEATED, SourceCounts
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.corpus.sinks import BufferSink, Sink
from dataset_builders.own_data import OwnBuilder
from dataset_builders.pairs.consecutive import make_pairs
from dataset_builders.pairs.encoder import Encoder
from dataset_builders.pairs.same_intent import same_intent_pairs
from dataset_builders.quality.config import QualityConfig
from dataset_builders.quality.drops import drop_rows
from dataset_builders.quality.screen import screen, with_flags
from dataset_builders.schema import ARROW_SCHEMAS, SPLITS, Config, Split
from dataset_builders.survey.decisions import Decisions
from dataset_builders.survey.leaks import TEST, TRAIN
from dataset_builders.survey.parsed import ParsedSource, turn_texts


@dataclass(frozen=True)
class Batch:
    """Some rows of a source on their way.

    Attributes:
        config: Which rows they are.
        table: The rows.
        number: Their numbers in the survey, shape (n,). Of a pair: the number of the utterance that begins it.
        side: int8 [n]: number of the split that they stand in, or would.
    """

    config: Config
    table: pa.Table
    number: np.ndarray
    side: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def where(self, mask: np.ndarray) -> Batch:
        """The rows under a mask."""
        if mask.all():
            return self
        return Batch(self.config, self.table.filter(pa.array(mask)), self.number[mask], self.side[mask])

    def by_split(self) -> Iterator[tuple[Split, Batch]]:
        """The rows of each split."""
        for side, split in enumerate(SPLITS):
            part = self.where(self.side == side)
            if len(part):
                yield split, part


def write_source(
    source: ParsedSource,
    decisions: Decisions,
    options: BuildOptions,
    sink: Sink,
    encoder: Encoder | None = None,
    num_proc: int | None = None,
) -> SourceCounts:
    """Apply the decisions and the filters to one source, make its pairs, and write what is left.

    Args:
        source: Its rows.
        decisions: What the survey decided about them.
        options: What changes the rows.
        sink: Where they go.
        encoder: For the relatedness of pairs; not measured when None.
        num_proc: Processes that judge dialogues and make pairs, on Linux and without an encoder; the rows are the same.

    Returns:
        What was counted: rows in are rows out and rows dropped.

    Raises:
        DataError: One of the processes was killed.
    """
    builder, quality = source.builder, options.quality
    built = SourceCounts(builder.INFO, builder.config.name, builder.hash)
    if isinstance(builder, OwnBuilder):
        built.rejected = builder.tally.rejected
        quality = quality.with_min_words(options.own_min_words)
    writer = _SourceWriter(source, decisions, options, quality, sink, encoder, built)
    if builder.INFO.kind == "dialogues":
        batches = list(source.batches())

        def write(number: int) -> tuple[BufferSink, SourceCounts]:
            kept, counted = BufferSink(), SourceCounts(builder.INFO, builder.config.name, builder.hash)
            replace(writer, sink=kept, built=counted).write_dialogues(*batches[number])
            return kept, counted

        # an encoder's threads do not survive a fork
        for kept, counted in in_order(write, len(batches), 1 if encoder else num_proc or 1):
            kept.replay(sink)
            built.add(counted)
    else:
        writer.write_intents()
    built.check()
    return built


@dataclass(frozen=True)
class _SourceWriter:
    """One source on its way into a sink; see `write_source`."""

    source: ParsedSource
    decisions: Decisions
    options: BuildOptions
    quality: QualityConfig
    sink: Sink
    encoder: Encoder | None
    built: SourceCounts

    @property
    def _cleans(self) -> bool:
        return self.options.split_policy == "leak-free"

    def write_dialogues(self, start: int, table: pa.Table) -> None:
        """Some dialogues, which begin at the row `start`, and the pairs that they make."""
        decided = self.decisions
        split, benchmark_turn = decided.row("split"), decided.row("benchmark_turn")
        batch = self._usable("dialogues", start, table)
        number = batch.number
        table = _set(batch.table, "cluster_id", decided.rows["cluster_id"].take(pa.array(number)))
        leaks, heard = (np.flatnonzero(decided.row(name)[number]) for name in ("flagged", "benchmark"))
        table = with_flags(table, [("leak:dialogue", leaks), ("leak:benchmark", heard)])
        batch = self._without_leaks(Batch("dialogues", table, number, batch.side), "a duplicate")
        batch = Batch("dialogues", batch.table, batch.number, split[batch.number])
        if self._cleans:
            said = benchmark_turn[batch.number]
            heard = (said >= 0) & (batch.side != TEST)
            reason = f"a turn of more than {self.options.benchmark_words} words is a test utterance of an intent set"
            batch = self._drop(batch, heard, "benchmark", reason, _turns(batch.table, said, heard))
        for name, part in batch.by_split():
            kept = self._screen("dialogues", part.table, name)
            self._write("dialogues", name, kept)
            self._write_pairs(kept, part, name)

    def write_intents(self) -> None:
        """The rows of an intent set, and pairs of the same intent when they are wanted."""
        # two rows of one text may have two labels: the filters see all rows of a source at once
        usable = [self._usable("downstream", start, table) for start, table in self.source.batches()]
        if not usable:
            return
        decided = self.decisions
        number = np.concatenate([batch.number for batch in usable])
        shared = np.flatnonzero(decided.row("flagged")[number])
        table = with_flags(pa.concat_tables(b.table for b in usable), [("leak:text", shared)])
        table = table.append_column("number", pa.array(number))
        kept = self._screen("downstream", table, [SPLITS[s] for s in self._goal[number]])
        number = np.asarray(kept["number"])
        batch = Batch("downstream", kept.drop_columns("number"), number, self.source.side[number])
        batch = self._without_leaks(batch, "the same text")
        batch = Batch("downstream", batch.table, batch.number, decided.row("split")[batch.number])
        for split, part in batch.by_split():
            self._write("downstream", split, part.table)
            if split == "train" and self.options.same_intent:
                pairs = same_intent_pairs(part.table, self.options.same_intent, self.options.seed)
                self.built.rows["pairs"].rows_in += len(pairs)
                self._write("pairs", "train", pairs)

    @cached_property
    def _goal(self) -> np.ndarray:
        """int8 [n]: number of the split where each row goes, or would go if it were not left out."""
        split = self.decisions.row("split")
        return np.where(split >= TRAIN, split, self.source.side)

    def _selected(self, table: pa.Table, number: np.ndarray) -> np.ndarray:
        """True, shape (rows,), where the row's language and split are wanted."""
        wanted = np.isin(self._goal[number], [SPLITS.index(split) for split in self.options.splits])
        if self.options.languages:
            tags = table["language"].unique().to_pylist()
            names = [tag for tag in tags if any(f"{tag}-".startswith(f"{known}-") for known in self.options.languages)]
            wanted &= np.asarray(pc.is_in(table["language"], pa.array(names, pa.string())))
        return wanted

    def _usable(self, config: Config, start: int, table: pa.Table) -> Batch:
        """The wanted ones of some rows, without the records that make no row."""
        built, source = self.built, self.source
        number = start + np.arange(len(table))
        batch = Batch(config, table, number, source.side[number])
        built.found(batch.where(~source.repeated[number] & ~source.silent[number]).table)
        batch = batch.where(self._selected(table, number))
        built.rows[config].rows_in += len(batch)
        twice = source.repeated[batch.number]
        batch = self._drop(batch, twice, REPEATED, "the raw files hold it twice", None)
        silent = source.silent[batch.number]
        batch = self._drop(batch, silent, "empty_dialogue", "every turn is empty", None)
        built.languages.update(batch.table["language"].unique().to_pylist())
        return batch

    def _without_leaks(self, batch: Batch, what: str) -> Batch:
        leaks = self.decisions.row("leak")[batch.number]
        others = self.decisions.rows["blocking"].take(pa.array(batch.number[leaks]))
        return self._drop(batch, leaks, "leak", f"{what} stands in a later split", others)

    def _write_pairs(self, dialogues: pa.Table, part: Batch, split: Split) -> None:
        made = make_pairs(dialogues, self.options.context_turns, self.options.directions)
        self.built.rows["pairs"].rows_in += len(made)
        kept = self._screen("pairs", made, split, self.encoder)
        row = part.number[np.asarray(pc.index_in(kept["dialogue_id"], part.table["dialogue_id"]))]
        begins = self.source.starts[row] + np.asarray(kept["turn_index"])
        of_pair = self.decisions.pair
        shared, heard = (np.flatnonzero(of_pair(name)[begins]) for name in ("flagged", "benchmark"))
        table = with_flags(kept, [("leak:pair", shared), ("leak:benchmark", heard)])
        batch = Batch("pairs", table, begins, np.full(len(table), SPLITS.index(split), np.int8))
        if self._cleans:
            leaks = of_pair("leak")[begins]
            assert self.decisions.pairs is not None
            others = self.decisions.pairs["blocking"].take(pa.array(begins[leaks]))
            batch = self._drop(batch, leaks, "leak", "the same pair stands in a later split", others)
            heard = of_pair("benchmark")[batch.number] & (batch.side != TEST)
            reason = "a side is a test utterance of an intent set"
            first = of_pair("first_in_benchmark")[batch.number[heard]]
            values = pc.if_else(
                pa.array(first),
                batch.table["anchor"].filter(pa.array(heard)),
                batch.table["positive"].filter(pa.array(heard)),
            )
            batch = self._drop(batch, heard, "benchmark", reason, values)
        self.built.heard += int((of_pair("benchmark")[batch.number] & (batch.side != TEST)).sum())
        self._write("pairs", split, batch.table)

    def _screen(
        self, config: Config, rows: pa.Table, split: Split | list[Split], encoder: Encoder | None = None
    ) -> pa.Table:
        screened = screen(config, rows, split, self.quality, encoder)
        self._record(config, screened.dropped)
        return screened.rows

    def _drop(
        self, batch: Batch, mask: np.ndarray, name: str, reason: str, values: list[str] | pa.ChunkedArray | None
    ) -> Batch:
        """The batch without the rows under a mask, which are recorded with their values (their ids when None)."""
        if not mask.any():
            return batch
        out = batch.where(mask)
        values = out.table.column(0) if values is None else values
        records = drop_rows(batch.config, out.table, [SPLITS[side] for side in out.side], name, reason, values)
        self._record(batch.config, records)
        return batch.where(~mask)

    def _record(self, config: Config, records: pa.Table) -> None:
        if len(records):
            self.sink.record(records)
            self.built.dropped(config, records)

    def _write(self, config: Config, split: Split, rows: pa.Table) -> None:
        self.sink.write(config, split, rows.cast(ARROW_SCHEMAS[config]))
        self.built.wrote(split, config, rows)


def _set(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(column), table.schema.field(column), values)


def _turns(dialogues: pa.Table, turn: np.ndarray, mask: np.ndarray) -> pa.Array:
    """The text of one turn of each dialogue under the mask."""
    turns = dialogues["turns"].filter(pa.array(mask)).combine_chunks()
    texts = turn_texts(turns) if len(turns) else pa.array([], pa.list_(pa.string()))
    return pa.array(
        [said[number] for said, number in zip(texts.to_pylist(), turn[mask].tolist(), strict=True)], pa.string()
    )
