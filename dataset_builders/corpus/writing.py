"""Shard of a parsed source -> finished rows: apply the decisions of the survey, run the quality filters, make pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.chunks import turn_texts
from dataset_builders.arrow.mapped import release_unused
from dataset_builders.common.decisions import RowDecision
from dataset_builders.common.storage import Storage
from dataset_builders.corpus.batch import Batch
from dataset_builders.corpus.counts import REPEATED
from dataset_builders.corpus.deciding import DECISION, Deciding
from dataset_builders.corpus.fragments import FragmentWriter, fragment_writer
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.corpus.shards import Shard
from dataset_builders.corpus.turn_texts import TurnTexts
from dataset_builders.folder.parquet import group_rows
from dataset_builders.pairs.consecutive import contexts_of, pairs_of
from dataset_builders.pairs.encoder import Encoder
from dataset_builders.pairs.messages import chat_messages
from dataset_builders.pairs.same_intent import same_intent_pairs
from dataset_builders.quality.config import QualityConfig
from dataset_builders.quality.drops import drop_rows
from dataset_builders.quality.filters.base import Contexts, Spoken
from dataset_builders.quality.screen import Screened, screen, with_flags
from dataset_builders.schema import ARROW_SCHEMAS, SPLITS, Config, Split
from dataset_builders.survey.leaks import TEST, TRAIN
from dataset_builders.survey.parsed import ROWS_AT_ONCE
from dataset_builders.text.ragged import Ragged


def write_shard(
    load: Callable[[int], Shard], options: BuildOptions, storage: Storage, encoder: Encoder | None, number: int
) -> dict[str, Any]:
    """Write the fragments of a shard; the rows depend neither on the process nor on the cut into shards.

    Args:
        load: Returns the shard of a number.
        options: Options of the build.
        storage: Where to write the fragments.
        encoder: Text encoder that scores the relatedness of pairs.
        number: Number of the shard.

    Returns:
        Name of the shard, values of its `SourceCounts` and its `FragmentWriter.batches`; see `fragments.by_source`.

    Raises:
        AssertionError: A row was lost or duplicated.
    """
    shard = load(number)
    quality = options.quality.with_min_words(options.own_min_words) if shard.is_own else options.quality
    decisions = options.decisions.about(shard.counts.info.name)
    deciding = Deciding(decisions, shard.counts.decided, shard.table, checks_texts=not quality.masks)
    with fragment_writer(storage, shard.name) as sink:
        writer = _ShardWriter(shard, options, quality, deciding, sink, encoder)
        if shard.counts.info.kind == "dialogues":
            # vectors may differ in the last bit with the texts that are encoded together
            for start, count in shard.batches(turns=0 if encoder else None):
                replace(writer, records=[]).write_dialogues(start, shard.table.slice(start, count))
                shard.release()
                release_unused()
        else:
            writer.write_intents()
            shard.release()
    release_unused()
    shard.counts.check()
    return {"shard": shard.name, "counts": shard.counts.as_dict(), "batches": sink.batches}


_CONTEXT_AT_ONCE = 200_000
"""Turns of context in the pairs that a process makes at once: 500 parts of meetings have two million."""


@dataclass(frozen=True)
class _ShardWriter:
    """Writes one shard into fragments; see `write_shard`.

    Attributes:
        records: Drop records of the current dialogues and their pairs, each with the row numbers of the dialogues.
    """

    shard: Shard
    options: BuildOptions
    quality: QualityConfig
    deciding: Deciding
    sink: FragmentWriter
    encoder: Encoder | None
    records: list[tuple[pa.Table, np.ndarray]] = field(default_factory=list)

    @property
    def _drops_leaks(self) -> bool:
        return self.options.split_policy == "leak-free"

    def write_dialogues(self, start: int, table: pa.Table) -> None:
        """Write a batch of dialogues and their pairs.

        Args:
            start: Number of the first row.
            table: Rows of the `dialogues` config.
        """
        decisions = self.shard.decisions
        batch = self._obey(self._usable("dialogues", start, table))
        number = batch.number
        rows = _set(batch.table, "cluster_id", decisions.rows["cluster_id"].take(pa.array(number)))
        leaks, in_benchmark = (np.flatnonzero(decisions.row(name, number)) for name in ("flagged", "benchmark"))
        rows = with_flags(rows, [("leak:dialogue", leaks), ("leak:benchmark", in_benchmark)])
        batch = self._without_leaks(Batch("dialogues", rows, number, batch.split), "a duplicate")
        batch = Batch("dialogues", batch.table, batch.number, decisions.row("split", batch.number))
        if self._drops_leaks:
            turn = decisions.row("benchmark_turn", batch.number)
            in_benchmark = (turn >= 0) & (batch.split != TEST)
            reason = f"a turn of more than {self.options.benchmark_words} words is a test utterance of an intent set"
            texts = _turn_texts(batch.table, turn, in_benchmark)
            batch = self._drop(batch, in_benchmark, "benchmark", reason, texts)
        turns = None if self.encoder else TurnTexts.of(batch, self.shard.starts)
        for split, part in batch.by_split():
            spoken = turns.of_dialogues(part.number) if turns else None
            screened = self._screen("dialogues", part.table, split, part, spoken=spoken)
            self._write("dialogues", split, screened.rows)
            kept = Batch("dialogues", screened.rows, part.number[screened.kept], part.split[screened.kept])
            lengths = pc.list_value_length(screened.rows["turns"]).to_numpy()
            for first, count in _slices(kept.number, lengths, self.options.context_turns):
                self._write_pairs(kept.slice(first, count), split, None if screened.is_masked else turns)
        self._write_records(start, len(table))

    def write_intents(self) -> None:
        """Write all rows of an intent set, and same-intent pairs if the options ask for them."""
        # one text may have two labels in different rows, so the filters need all rows at once
        batches = [
            self._obey(self._usable("downstream", start, self.shard.table.slice(start, count)))
            for start, count in self.shard.batches(turns=0)
        ]
        if not batches:
            return
        decisions = self.shard.decisions
        number = np.concatenate([batch.number for batch in batches])
        leaks = np.flatnonzero(decisions.row("flagged", number))
        table = with_flags(pa.concat_tables(batch.table for batch in batches), [("leak:text", leaks)])
        table = table.append_column("number", pa.array(number))
        rows = self._screen("downstream", table, [SPLITS[index] for index in self._target_split(number)]).rows
        number = np.asarray(rows["number"])
        batch = Batch("downstream", rows.drop_columns("number"), number, self.shard.split[number])
        batch = self._without_leaks(batch, "the same text")
        batch = Batch("downstream", batch.table, batch.number, decisions.row("split", batch.number))
        for split, part in batch.by_split():
            self._write("downstream", split, part.table)
            if split == "train" and self.options.same_intent:
                pairs = same_intent_pairs(part.table, self.options.same_intent, self.options.seed)
                self.shard.counts.rows["pairs"].rows_in += len(pairs)
                made = Batch("pairs", pairs, np.arange(len(pairs)), np.zeros(len(pairs), np.int8))
                self._write("pairs", "train", self._obey(made).table)

    def _target_split(self, number: np.ndarray) -> np.ndarray:
        """Split of the rows of these numbers, int8 of shape (n,); for dropped rows, the one they would go to."""
        split = self.shard.decisions.row("split", number)
        return np.where(split >= TRAIN, split, self.shard.split[number])

    def _is_selected(self, table: pa.Table, number: np.ndarray) -> np.ndarray:
        """Whether the options include each row's language, origin and split, bool of shape (rows,)."""
        mask = np.isin(self._target_split(number), [SPLITS.index(split) for split in self.options.splits])
        if self.options.languages:
            prefixes = tuple(f"{language}-" for language in self.options.languages)
            tags = [tag for tag in table["language"].unique().to_pylist() if f"{tag}-".startswith(prefixes)]
            mask &= np.asarray(pc.is_in(table["language"], pa.array(tags, pa.string())))
        if self.options.origins:
            mask &= np.asarray(pc.is_in(table["origin"], pa.array([*self.options.origins, None], pa.string())))
        return mask

    def _usable(self, config: Config, start: int, table: pa.Table) -> Batch:
        """Rows that the options select, without repeated records and empty dialogues."""
        shard, counts = self.shard, self.shard.counts
        number = start + np.arange(len(table))
        batch = Batch(config, table, number, shard.split[number])
        counts.count_input(batch.where(~shard.repeated[number] & ~shard.empty[number]).table)
        batch = batch.where(self._is_selected(table, number))
        counts.rows[config].rows_in += len(batch)
        batch = self._drop(batch, shard.repeated[batch.number], REPEATED, "the raw files hold it twice", None)
        batch = self._drop(batch, shard.empty[batch.number], "empty_dialogue", "every turn is empty", None)
        counts.languages.update(batch.table["language"].unique().to_pylist())
        return batch

    def _obey(self, batch: Batch, about: Mapping[str, RowDecision] | None = None) -> Batch:
        """Drop and relabel rows as people decided; `about` is the result of `Deciding.find`, None to look now."""
        about = self.deciding.find(batch.config, batch.table) if about is None else about
        if not about:
            return batch
        table, verdicts = self.deciding.obey(batch.table, about)
        batch = replace(batch, table=table)
        for verdict in sorted({*verdicts} - {""}):
            reason = f"somebody marked it: {verdict.replace('_', ' ')}"
            batch = self._drop(batch, verdicts == verdict, DECISION, reason, None, quoted=verdict != "personal_data")
            verdicts = verdicts[verdicts != verdict]
        return batch

    def _without_leaks(self, batch: Batch, match: str) -> Batch:
        leaks = self.shard.decisions.row("leak", batch.number)
        others = self.shard.decisions.rows["blocking"].take(pa.array(batch.number[leaks]))
        return self._drop(batch, leaks, "leak", f"{match} stands in a later split", others)

    def _write_pairs(self, dialogues: Batch, split: Split, turns: TurnTexts | None) -> None:
        """Make the pairs of some dialogues and write those that no check drops.

        Args:
            dialogues: Dialogues of one split that the filters let through.
            split: That split.
            turns: The texts of their turns, if they are known.
        """
        hashes = None
        if not self.quality.masks:  # else the texts may have changed
            hashes, _ = Ragged(self.shard.hashes, self.shard.starts).gather(dialogues.number)
        context, directions = self.options.context_turns, self.options.directions
        pairs, dialogue = pairs_of(dialogues.table, context, directions, hashes, with_context=self.quality.masks)
        self.shard.counts.rows["pairs"].rows_in += len(pairs)
        # applied after the filters: some of them look at all pairs of a dialogue, and must not see fewer
        about = self.deciding.find("pairs", pairs)
        contexts = None if self.quality.masks else contexts_of(dialogues.table, context)
        number = self.shard.starts[dialogues.number[dialogue]] + np.asarray(pairs["turn_index"])
        spoken = turns.of_pairs(number) if turns else None
        screened = self._screen("pairs", pairs, split, dialogues, self.encoder, spoken, contexts)
        number = number[screened.kept]
        made = Batch("pairs", screened.rows, number, np.full(len(number), SPLITS.index(split), np.int8))
        made = self._obey(made, about)
        pairs, number = made.table, made.number
        decision = self.shard.decisions.pair
        leaks, in_benchmark = (np.flatnonzero(decision(name, number)) for name in ("flagged", "benchmark"))
        pairs = with_flags(pairs, [("leak:pair", leaks), ("leak:benchmark", in_benchmark)])
        batch = replace(made, table=pairs)
        if self._drops_leaks:
            leaks = decision("leak", number)
            assert self.shard.decisions.pairs is not None
            others = self.shard.decisions.pairs["blocking"].take(pa.array(number[leaks]))
            batch = self._drop(batch, leaks, "leak", "the same pair stands in a later split", others)
            in_benchmark = decision("benchmark", batch.number) & (batch.split != TEST)
            texts = pc.if_else(
                pa.array(decision("first_in_benchmark", batch.number[in_benchmark])),
                batch.table["anchor"].filter(pa.array(in_benchmark)),
                batch.table["positive"].filter(pa.array(in_benchmark)),
            )
            reason = "a side is a test utterance of an intent set"
            batch = self._drop(batch, in_benchmark, "benchmark", reason, texts)
        self.shard.counts.benchmark_pairs += int((decision("benchmark", batch.number) & (batch.split != TEST)).sum())
        self._write_with_context(batch.table, split, contexts)

    def _write_with_context(self, pairs: pa.Table, split: Split, contexts: Contexts | None) -> None:
        """Write pairs; those that are left get their context, which filters would only copy."""
        size = group_rows(pairs.schema)
        for start in range(0, max(len(pairs), 1), size):
            some = pairs.slice(start, size)
            self._write("pairs", split, _set(some, "context", contexts(some)) if contexts else some)

    def _screen(
        self,
        config: Config,
        rows: pa.Table,
        split: Split | list[Split],
        dialogues: Batch | None = None,
        encoder: Encoder | None = None,
        spoken: Spoken | None = None,
        contexts: Contexts | None = None,
    ) -> Screened:
        """Run the quality filters.

        Args:
            config: Config of the rows.
            rows: Dialogues, pairs or intents.
            split: Split of the rows: one for all, or one for each row.
            dialogues: The dialogues, or those that the pairs come from; None for intents.
            encoder: Text encoder that scores the relatedness of pairs.
            spoken: The texts of the rows, if they are known.
            contexts: Returns the context of some of the pairs, which they do not have yet.
        """
        kept = self.deciding.keeps(config, rows)
        screened = screen(config, rows, split, self.quality, encoder, spoken, contexts, kept)
        self.deciding.rescue(config, rows.column(0).take(pa.array(screened.rescued)).to_pylist())
        numbers = None
        if dialogues is not None and len(screened.dropped):
            place = pc.index_in(screened.dropped["dialogue_id"], dialogues.table["dialogue_id"])
            numbers = dialogues.number[np.asarray(place, np.int64)]
        self._record(config, screened.dropped, numbers)
        return screened

    def _drop(
        self,
        batch: Batch,
        mask: np.ndarray,
        name: str,
        reason: str,
        values: list[str] | pa.ChunkedArray | None,
        *,
        quoted: bool = True,
    ) -> Batch:
        """Record the rows where the mask is true as dropped and return the others.

        Args:
            batch: n rows.
            mask: bool of shape (n,).
            name: Name of the check.
            reason: Reason in words.
            values: Offending value of each dropped row; None for the row's id.
            quoted: Whether the records have the beginning of the texts.
        """
        if not mask.any():
            return batch
        dropped = batch.where(mask)
        values = dropped.table.column(0) if values is None else values
        splits = [SPLITS[index] for index in dropped.split]
        numbers = {
            "dialogues": dropped.number,
            "pairs": np.searchsorted(self.shard.starts, dropped.number, "right") - 1,
        }.get(batch.config)
        if self.shard.counts.info.kind != "dialogues":  # also pairs of the same intent: no dialogue is read in parts
            numbers = None
        records = drop_rows(batch.config, dropped.table, splits, name, reason, values)
        if not quoted:
            records = _set(records, "text", pa.nulls(len(records), pa.string()))
        self._record(batch.config, records, numbers)
        return batch.where(~mask)

    def _record(self, config: Config, records: pa.Table, numbers: np.ndarray | None) -> None:
        """Count drop records and keep them for `_write_records`.

        Args:
            config: Config of the dropped rows.
            records: Records of n rows.
            numbers: Row numbers of their dialogues, ascending, shape (n,); None writes the records at once.
        """
        if len(records):
            self.shard.counts.count_drops(config, records)
            self.deciding.drop(config, records)
            if numbers is None:
                self.sink.record(records)
            else:
                self.records.append((records, numbers))

    def _write_records(self, start: int, count: int) -> None:
        """Write the records of the current rows block by block, so that they do not depend on the size of a batch."""
        for block in range(start, start + count, ROWS_AT_ONCE):
            for records, numbers in self.records:
                first, end = np.searchsorted(numbers, [block, block + ROWS_AT_ONCE]).tolist()
                if first < end:
                    self.sink.record(records.slice(first, end - first))

    def _write(self, config: Config, split: Split, rows: pa.Table) -> None:
        if config == "dialogues":  # made last: the filters may have masked texts of the turns
            messages = chat_messages(rows["turns"])
            rows = _set(_set(rows, "messages", messages), "message_count", pc.list_value_length(messages))
        self.sink.write(config, split, rows.cast(ARROW_SCHEMAS[config]))
        self.shard.counts.count_output(config, split, rows)


def _slices(number: np.ndarray, lengths: np.ndarray, context_turns: int) -> list[tuple[int, int]]:
    """Divide dialogues so that the pairs of a part hold at most about `_CONTEXT_AT_ONCE` turns of context.

    Only a block with more is divided, and from its first dialogue on, so that the order of the records of dropped pairs
    does not depend on the blocks that a process has at once.

    Args:
        number: Row number of each of n dialogues, ascending, shape (n,).
        lengths: Number of turns of each dialogue, shape (n,).
        context_turns: Maximum number of turns in the context of a pair.

    Returns:
        First dialogue and number of dialogues of each part.
    """
    if not len(number):
        return []
    lengths = lengths.astype(np.int64)
    short = np.minimum(lengths, context_turns)
    context = short * (short - 1) // 2 + (lengths - short) * context_turns
    block = number // ROWS_AT_ONCE
    _, first, inverse = np.unique(block, return_index=True, return_inverse=True)
    total = np.bincount(inverse, context)
    before = np.cumsum(context) - context
    part = (before - before[first][inverse]) // _CONTEXT_AT_ONCE
    is_large = (total > _CONTEXT_AT_ONCE)[inverse]
    begins = np.append(True, is_large[1:] & (part[1:] != part[:-1]))
    begins[1:] |= (block[1:] != block[:-1]) & (is_large[1:] | is_large[:-1])
    starts = np.flatnonzero(begins)
    return list(zip(starts.tolist(), np.diff(np.append(starts, len(number))).tolist(), strict=True))


def _set(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(column), table.schema.field(column), values)


def _turn_texts(dialogues: pa.Table, turn: np.ndarray, mask: np.ndarray) -> pa.Array:
    """Text of the turn with the index `turn` of each dialogue where the mask is true."""
    turns = dialogues["turns"].filter(pa.array(mask)).combine_chunks()
    texts = turn_texts(turns) if len(turns) else pa.array([], pa.list_(pa.string()))
    picks = [dialogue[index] for dialogue, index in zip(texts.to_pylist(), turn[mask].tolist(), strict=True)]
    return pa.array(picks, pa.string())
