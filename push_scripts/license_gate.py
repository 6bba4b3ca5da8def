"""Rows that may not be redistributed never leave this machine.

A row passes when all of these hold:

- its `redistributable` is exactly true,
- its licence is one of `licenses.LICENSES` that allows it,
- a corpus of its name, where this project knows one, is under that very licence,
- the dialogue that it was taken from passed.

What only held-back rows say is taken out of passing rows that quote it (hard negatives, values in the drops). Whether
the repository is private does not matter: uploading is passing on.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.licenses import LICENSES
from dataset_builders.parquet import ParquetWriter, ShardWriter
from dataset_builders.quality.findings import VALUE_LENGTH
from dataset_builders.registry import builders
from dataset_builders.schema import Config, Split

_KEYS = ["source", "license", "redistributable", "dialogue_id"]
_TEXTS = {"dialogues": ["turns"], "pairs": ["anchor", "positive"], "downstream": ["utterance"]}


@dataclass
class GateReport:
    """Rows by what happened to them.

    Attributes:
        passed: (config, source, licence) -> rows that may be published.
        held: (config, source) -> rows that were left out.
    """

    passed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, config: str, rows: pa.Table, mask: pa.ChunkedArray) -> None:
        """Adds rows of a config; `mask` is true where one passes."""
        for row in rows.filter(mask).group_by(["source", "license"]).aggregate([([], "count_all")]).to_pylist():
            self.passed[config, str(row["source"]), row["license"]] += row["count_all"]
        for row in rows.filter(pc.invert(mask)).group_by("source").aggregate([([], "count_all")]).to_pylist():
            self.held[config, str(row["source"])] += row["count_all"]

    @property
    def licenses(self) -> list[str]:
        """The licences that apply to what may be published, sorted."""
        return sorted({license for _, _, license in self.passed})

    def held_by_source(self) -> dict[str, dict[str, int]]:
        """Source -> config -> rows left out, sorted by source."""
        rows: dict[str, dict[str, int]] = {}
        for (config, source), count in sorted(self.held.items(), key=lambda item: item[0][::-1]):
            rows.setdefault(source, {})[config] = count
        return rows


class LicenseGate:
    """Puts aside what may be published.

    Args:
        shards: (config, split) -> parquet files, dialogues first: a pair of a held-back dialogue is then recognised.

    Attributes:
        report: What passed and what was held back.
    """

    def __init__(self, shards: Mapping[tuple[Config, Split], Sequence[Path]]) -> None:
        self.report = GateReport()
        self._held_dialogues = pa.array([], pa.string())
        self._held_texts = pa.array([], pa.string())
        for (config, _), files in shards.items():
            self._judge(config, files)
        if len(self._held_texts):
            for (config, _), files in shards.items():
                self._forget_what_others_say(config, files)

    def admit(self, split: str, shards: Sequence[Path], folder: Path) -> list[Path]:
        """Puts the rows of one split that may be published into a folder.

        A split with nothing to hold back stays as it is, in hard links (copies across file systems).
        Otherwise its row groups are filtered one at a time into new shards, with the schema's metadata kept.

        Args:
            split: Name of the split.
            shards: Its parquet files in order.
            folder: Where to put the shards; made when missing.

        Returns:
            The shards in `folder`; none when no row may be published.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if all(self.filtered(rows) is rows for rows in _row_groups(shards, [*_KEYS, "negatives"])):
            return [link_or_copy(shard, folder / shard.name) for shard in shards]
        writer = ShardWriter(folder, split, pq.read_schema(shards[0]))
        for rows in _row_groups(shards):
            writer.write(self.filtered(rows))
        return writer.close()

    def admit_notes(self, file: Path, target: Path) -> None:
        """Copies a table about the rows (drops, clusters) without the entries on rows that may not be published."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with ParquetWriter(target, pq.read_schema(file), compression="zstd") as writer:
            for rows in _row_groups([file]):
                writer.write_table(self.filtered(rows))

    def filtered(self, rows: pa.Table) -> pa.Table:
        """The rows that may be published, without what they quote of others; the same table when that is all of it."""
        mask = self.passes(rows)
        kept = rows if pc.all(mask).as_py() in (True, None) else rows.filter(mask)
        for name in ("negatives", "value", "nearest_id"):
            if name in kept.column_names:
                kept = self._without_quotes(kept, name)
        return kept

    def _judge(self, config: Config, shards: Sequence[Path]) -> None:
        """Counts the rows, and remembers what the held-back ones say."""
        dialogues, texts = [self._held_dialogues], [self._held_texts]
        for rows in _row_groups(shards, [*_KEYS, *_TEXTS[config]]):
            mask = self.passes(rows)
            self.report.count(config, rows, mask)
            held = rows.filter(pc.invert(mask))
            if config == "dialogues":
                dialogues += held["dialogue_id"].chunks
            texts += [_texts(held, name).unique() for name in _TEXTS[config]]
        self._held_dialogues = pa.concat_arrays(dialogues)
        self._held_texts = pa.concat_arrays(texts).unique()

    def _forget_what_others_say(self, config: Config, shards: Sequence[Path]) -> None:
        """What a row that may be published says, too, is no secret: "Thank you."."""
        for rows in _row_groups(shards, [*_KEYS, *_TEXTS[config]]):
            passed = rows.filter(self.passes(rows))
            for name in _TEXTS[config]:
                free = pc.is_in(self._held_texts, value_set=_texts(passed, name).unique())
                self._held_texts = self._held_texts.filter(pc.invert(free))

    def passes(self, rows: pa.Table) -> pa.ChunkedArray:
        """True where a row may be published. A table without licence columns goes by its `dialogue_id`."""
        mask = pa.chunked_array([pa.repeat(True, len(rows))])
        if "license" in rows.column_names:
            open_licenses = pa.array([license.id for license in LICENSES.values() if license.redistributable])
            mask = pc.and_(pc.fill_null(rows["redistributable"], False), pc.is_in(rows["license"], open_licenses))
            mask = pc.and_(mask, _as_the_source_says(rows))
        if "dialogue_id" in rows.column_names:
            mask = pc.and_(mask, pc.invert(pc.is_in(rows["dialogue_id"], value_set=self._held_dialogues)))
        return mask

    def _without_quotes(self, rows: pa.Table, name: str) -> pa.Table:
        column = rows[name].combine_chunks()
        if name == "negatives":
            said = pc.is_in(column.flatten(), value_set=self._held_texts)
            if not pc.any(said).as_py():
                return rows
            cleaned = [[text for text in texts or [] if text not in self._quoted] for texts in column.to_pylist()]
            new = pa.array(cleaned, column.type)
        else:
            held = self._held_dialogues if name == "nearest_id" else self._held_beginnings
            said = pc.fill_null(pc.is_in(column, value_set=held), False)
            new = pc.if_else(said, pa.scalar(None, column.type), column)
        return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), new)

    @functools.cached_property
    def _quoted(self) -> frozenset[str]:
        return frozenset(self._held_texts.to_pylist())

    @functools.cached_property
    def _held_beginnings(self) -> pa.Array:
        return pc.utf8_slice_codeunits(self._held_texts, 0, VALUE_LENGTH)


def _texts(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.struct_field(pc.list_flatten(rows[name]), "text") if name == "turns" else rows[name]


def _as_the_source_says(rows: pa.Table) -> pa.ChunkedArray:
    """False where a corpus that this project knows is said to be under another licence than it is."""
    known = {name: builder.INFO.license for name, builder in builders().items()}
    place = pc.index_in(rows["source"], value_set=pa.array(list(known)))
    true_license = pa.array(list(known.values())).take(place.combine_chunks())
    return pc.fill_null(pc.equal(rows["license"], true_license), True)


def _row_groups(shards: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of all shards, one at a time, with those of the named columns that there are."""
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            names = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=names)


def link_or_copy(path: Path, target: Path) -> Path:
    """A hard link, which costs nothing; a copy where links are not possible. Returns `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)
    return target
