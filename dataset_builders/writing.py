"""Rows of parsed sources -> parquet: what the survey decided is applied, the filters judge, pairs are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.built import REPEATED, Built
from dataset_builders.encoder import Encoder
from dataset_builders.folder import CLUSTERS, DROPS
from dataset_builders.options import BuildOptions
from dataset_builders.pairs import make_pairs
from dataset_builders.parquet import ShardWriter
from dataset_builders.parsed import ParsedSource, turn_texts
from dataset_builders.quality.config import QualityConfig
from dataset_builders.quality.drops import CLUSTERS_SCHEMA, DROPS_SCHEMA, drop_rows
from dataset_builders.quality.flags import with_flags
from dataset_builders.quality.leaks import TEST
from dataset_builders.quality.screen import screen
from dataset_builders.same_intent import same_intent_pairs
from dataset_builders.schema import ARROW_SCHEMAS, CONFIGS, SPLITS, Config, Split
from dataset_builders.survey import DialogueSurvey, IntentSurvey, Rows


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


class FolderWriter:
    """Writes the rows of all sources into one dataset folder.

    Args:
        folder: An empty folder.
        options: What changes the rows.
        encoder: For the relatedness of pairs; not measured when None.
    """

    def __init__(self, folder: Path, options: BuildOptions, encoder: Encoder | None = None) -> None:
        self.folder, self.options, self.encoder = folder, options, encoder
        self._cleans = options.split_policy == "leak-free"
        self._writers = {
            (config, split): ShardWriter(folder / config, split, ARROW_SCHEMAS[config])
            for config in CONFIGS
            for split in SPLITS
        }
        (folder / DROPS).parent.mkdir()
        self._drops = pq.ParquetWriter(folder / DROPS, DROPS_SCHEMA, compression="zstd")

    def close(self) -> dict[tuple[Config, Split], list[Path]]:
        """Finish all files; returns the shards."""
        self._drops.close()
        return {key: writer.close() for key, writer in self._writers.items()}

    def write_clusters(self, members: pa.Table) -> None:
        """Write the table of clusters."""
        pq.write_table(members.cast(CLUSTERS_SCHEMA), self.folder / CLUSTERS, compression="zstd")

    def write_dialogues(
        self, source: ParsedSource, place: int, survey: DialogueSurvey, built: Built, quality: QualityConfig
    ) -> None:
        """Write the dialogues of one source and the pairs that they make.

        Args:
            source: Its rows.
            place: Its place in the survey.
            survey: What was decided.
            built: Counts what is written.
            quality: What the filters drop and flag.
        """
        for batch in self._usable("dialogues", source, place, survey.rows, built):
            number = batch.number
            table = _set(batch.table, "cluster_id", survey.clusters.ids.take(pa.array(number)))
            leaks, heard = np.flatnonzero(survey.flagged[number]), np.flatnonzero(survey.benchmark[number])
            table = with_flags(table, [("leak:dialogue", leaks), ("leak:benchmark", heard)])
            batch = Batch("dialogues", table, number, batch.side)
            leaks = survey.leaks[number]
            others = survey.rows.ids.take(pa.array(survey.blocking[number[leaks]]))
            batch = self._drop(batch, leaks, "leak", "a duplicate stands in a later split", others, built)
            batch = Batch("dialogues", batch.table, batch.number, survey.split[batch.number])
            if self._cleans:
                said = survey.benchmark_long[batch.number]
                heard = (said >= 0) & (batch.side != TEST)
                values = _turns(batch.table, said - survey.rows.starts[batch.number], heard)
                reason = (
                    f"a turn of more than {self.options.benchmark_words} words is a test utterance of an intent set"
                )
                batch = self._drop(batch, heard, "benchmark", reason, values, built)
            for split, part in batch.by_split():
                kept = self._screen("dialogues", part.table, split, built, quality)
                self._write("dialogues", split, kept, built)
                self._write_pairs(kept, part, split, survey, built, quality)

    def write_intents(
        self, source: ParsedSource, place: int, survey: IntentSurvey, built: Built, quality: QualityConfig
    ) -> None:
        """Write the rows of one intent set, and pairs of the same intent when they are wanted."""
        # two rows of one text may have two labels: the filters see all rows of a source at once
        usable = list(self._usable("downstream", source, place, survey.rows, built))
        if not usable:
            return
        number = np.concatenate([batch.number for batch in usable])
        side = np.where(survey.leaks[number], survey.rows.side[number], survey.split[number])
        shared = np.flatnonzero(survey.flagged[number])
        table = with_flags(pa.concat_tables(b.table for b in usable), [("leak:text", shared)])
        table = table.append_column("number", pa.array(number))
        kept = self._screen("downstream", table, [SPLITS[s] for s in side], built, quality)
        number = np.asarray(kept["number"])
        batch = Batch("downstream", kept.drop_columns("number"), number, survey.rows.side[number])
        leaks = survey.leaks[number]
        others = survey.rows.ids.take(pa.array(survey.blocking[number[leaks]]))
        batch = self._drop(batch, leaks, "leak", "the same text stands in a later split", others, built)
        for split, part in Batch("downstream", batch.table, batch.number, survey.split[batch.number]).by_split():
            self._write("downstream", split, part.table, built)
            if split == "train" and self.options.same_intent:
                pairs = same_intent_pairs(part.table, self.options.same_intent, self.options.seed)
                built.rows["pairs"].rows_in += len(pairs)
                self._write("pairs", "train", pairs, built)

    def _usable(self, config: Config, source: ParsedSource, place: int, rows: Rows, built: Built) -> Iterator[Batch]:
        """Batches of a source without the records that make no row."""
        for start, table in source.batches():
            number = rows.first_row[place] + start + np.arange(len(table))
            batch = Batch(config, table, number, rows.side[number])
            built.rows[config].rows_in += len(batch)
            twice = rows.repeated[number]
            batch = self._drop(batch, twice, REPEATED, "the raw files hold it twice", None, built)
            silent = rows.silent[batch.number]
            batch = self._drop(batch, silent, "empty_dialogue", "every turn is empty", None, built)
            built.found(batch.table)
            built.languages.update(batch.table["language"].unique().to_pylist())
            yield batch

    def _write_pairs(
        self,
        dialogues: pa.Table,
        part: Batch,
        split: Split,
        survey: DialogueSurvey,
        built: Built,
        quality: QualityConfig,
    ) -> None:
        made = make_pairs(dialogues, self.options.context_turns, self.options.directions)
        built.rows["pairs"].rows_in += len(made)
        kept = self._screen("pairs", made, split, built, quality, self.encoder)
        row = part.number[np.asarray(pc.index_in(kept["dialogue_id"], part.table["dialogue_id"]))]
        begins = survey.rows.starts[row] + np.asarray(kept["turn_index"])
        shared, heard = np.flatnonzero(survey.pair_flagged[begins]), np.flatnonzero(survey.pair_benchmark[begins])
        table = with_flags(kept, [("leak:pair", shared), ("leak:benchmark", heard)])
        batch = Batch("pairs", table, begins, np.full(len(table), SPLITS.index(split), np.int8))
        if self._cleans:
            leaks = survey.pair_leaks[begins]
            others = [survey.pair_id(other) for other in survey.pair_blocking[begins[leaks]].tolist()]
            batch = self._drop(batch, leaks, "leak", "the same pair stands in a later split", others, built)
            heard = survey.pair_benchmark[batch.number] & (batch.side != TEST)
            reason = "a side is a test utterance of an intent set"
            first = survey.in_benchmark[batch.number[heard]]
            values = pc.if_else(
                pa.array(first),
                batch.table["anchor"].filter(pa.array(heard)),
                batch.table["positive"].filter(pa.array(heard)),
            )
            batch = self._drop(batch, heard, "benchmark", reason, values, built)
        built.heard += int((survey.pair_benchmark[batch.number] & (batch.side != TEST)).sum())
        self._write("pairs", split, batch.table, built)

    def _screen(
        self,
        config: Config,
        rows: pa.Table,
        split: Split | list[Split],
        built: Built,
        quality: QualityConfig,
        encoder: Encoder | None = None,
    ) -> pa.Table:
        screened = screen(config, rows, split, quality, encoder)
        self._record(config, screened.dropped, built)
        return screened.rows

    def _drop(
        self,
        batch: Batch,
        mask: np.ndarray,
        name: str,
        reason: str,
        values: list[str] | pa.ChunkedArray | None,
        built: Built,
    ) -> Batch:
        """The batch without the rows under a mask, which are recorded with their values (their ids when None)."""
        if not mask.any():
            return batch
        out = batch.where(mask)
        values = out.table.column(0) if values is None else values
        records = drop_rows(batch.config, out.table, [SPLITS[side] for side in out.side], name, reason, values)
        self._record(batch.config, records, built)
        return batch.where(~mask)

    def _record(self, config: Config, records: pa.Table, built: Built) -> None:
        if len(records):
            self._drops.write_table(records)
            built.dropped(config, records)

    def _write(self, config: Config, split: Split, rows: pa.Table, built: Built) -> None:
        self._writers[config, split].write(rows.cast(ARROW_SCHEMAS[config]))
        built.wrote(split, config, rows)


def _set(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(column), table.schema.field(column), values)


def _turns(dialogues: pa.Table, turn: np.ndarray, mask: np.ndarray) -> pa.Array:
    """The text of one turn of each dialogue under the mask."""
    turns = dialogues["turns"].filter(pa.array(mask)).combine_chunks()
    texts = turn_texts(turns) if len(turns) else pa.array([], pa.list_(pa.string()))
    return pa.array(
        [said[number] for said, number in zip(texts.to_pylist(), turn[mask].tolist(), strict=True)], pa.string()
    )
