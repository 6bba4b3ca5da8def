"""Rows that may not be redistributed never leave this machine, nor do their ids and texts.

A row passes when all of these hold:

- its `redistributable` is exactly true,
- its licence is one of `licenses.LICENSES` that allows it,
- a corpus of its name, where this project knows one, is under that very licence, and the build's report agrees,
- it has a source and an id, and no id of its own names a held-back row,
- the dialogue that it was taken from passed.

An entry on a row that the build dropped is judged alike, and one on a member of a cluster by its source: what is not
known to be open is held back. What passing rows and entries quote of held-back ones, ids and texts, becomes null or is
left out (hard negatives, the value of a drop, the nearest dialogue). Whether the repository is private does not matter:
uploading is passing on.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.folder.parquet import ParquetWriter, ShardWriter
from dataset_builders.licenses import LICENSES
from dataset_builders.schema import Config, Split
from dataset_builders.sources.registry import builders
from push_scripts.held_back import HeldBack, as_drops_cut_it

_IDS = ("dialogue_id", "pair_id", "utterance_id", "row_id")
_KEYS = ["source", "license", "redistributable", *_IDS, "pair_type", "config"]
_TEXTS = {"dialogues": ["turns"], "pairs": ["anchor", "positive"], "downstream": ["utterance"]}
_QUOTES = ("cluster_id", "nearest_id", "reason", "value", "text")
"""Columns that may name another row or quote one."""
_LINK = ("nearest_id", "similarity", "kind")
"""Columns of a cluster's member that are about the one nearest to it."""


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
        shards: (config, split) -> parquet files.
        notes: Tables about the rows, also about those that are not in `shards`: drops first, then clusters.
        sources: Source -> its facts in the build's report (`license`, `redistributable`).

    Attributes:
        report: What passed and what was held back.
        held: Sources, ids and texts that must not leave.
    """

    def __init__(
        self,
        shards: Mapping[tuple[Config, Split], Sequence[Path]],
        notes: Sequence[Path] = (),
        sources: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.report = GateReport()
        shut = {name for name, builder in builders().items() if not builder.INFO.redistributable}
        shut |= {name for name, facts in (sources or {}).items() if not _is_open(name, facts)}
        no_string = pa.array([], pa.string())
        self.held = HeldBack(frozenset(shut), frozenset(sources or {}) - shut, no_string, no_string)
        self.held = self._find_ids(shards, notes)
        self.held = self._find_texts(shards, notes)
        for (config, _), files in shards.items():
            for rows in _row_groups(files, _KEYS):
                self.report.count(config, rows, self.passes(rows))

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
        if all(self.filtered(rows) is rows for rows in _row_groups(shards, [*_KEYS, "negatives", "cluster_id"])):
            return [link_or_copy(shard, folder / shard.name) for shard in shards]
        writer = ShardWriter(folder, split, pq.read_schema(shards[0]))
        for rows in _row_groups(shards):
            writer.write(self.filtered(rows))
        return writer.close()

    def admit_notes(self, file: Path, target: Path) -> None:
        """Copies a table about the rows (drops, clusters) without the entries on rows that may not be published.

        What other entries name or quote of such rows becomes null. A table without either stays as it is.
        """
        if all(self.filtered(rows) is rows for rows in _row_groups([file])):
            link_or_copy(file, target)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with ParquetWriter(target, pq.read_schema(file), compression="zstd") as writer:
            for rows in _row_groups([file]):
                writer.write_table(self.filtered(rows))

    def filtered(self, rows: pa.Table) -> pa.Table:
        """The rows that may be published, without what they quote of others; the same table when that is all of it."""
        mask = self.passes(rows)
        kept = rows if pc.all(mask).as_py() in (True, None) else rows.filter(mask)
        if "negatives" in kept.column_names:
            kept = self._without_negatives(kept)
        for name in _QUOTES:
            if name in kept.column_names:
                kept = self._without_quotes(kept, name)
        return kept

    def passes(self, rows: pa.Table) -> pa.ChunkedArray:
        """True where a row may be published. A table without licence columns goes by its sources and ids."""
        mask = pc.and_(self._licensed(rows), _has_ids(rows))
        for name in _IDS:
            if name in rows.column_names:
                mask = pc.and_(mask, pc.invert(self.held.names(rows[name])))
        return mask

    def _find_ids(self, shards: Mapping[tuple[Config, Split], Sequence[Path]], notes: Sequence[Path]) -> HeldBack:
        """What is held back, with the ids in all tables and the sources without an open row."""
        ids, seen = [self.held.ids], set(self.held.sources)
        for file in [*(file for files in shards.values() for file in files), *notes]:
            for rows in _row_groups([file], _KEYS):
                mask = pc.and_(self._licensed(rows), _has_ids(rows))
                passed = rows["source"].filter(mask).unique().to_pylist() if "license" in rows.column_names else []
                self.held = replace(self.held, open_sources=self.held.open_sources.union(passed))
                seen.update(rows["source"].unique().drop_null().to_pylist())
                shut = rows.filter(pc.invert(mask))
                ids += [_stem(shut[name]).unique() for name in _IDS if name in rows.column_names]
        names = pc.drop_null(pa.concat_arrays(ids).unique())
        names = names.filter(pc.not_equal(names, ""))
        return replace(self.held, ids=names, sources=frozenset(seen) - self.held.open_sources)

    def _find_texts(self, shards: Mapping[tuple[Config, Split], Sequence[Path]], notes: Sequence[Path]) -> HeldBack:
        """What is held back, with the texts that only held-back rows say: "Thank you." is no secret."""
        texts = [self.held.texts]
        for (config, _), files in shards.items():
            for rows in _row_groups(files, [*_KEYS, *_TEXTS[config]]):
                held = rows.filter(pc.invert(self.passes(rows)))
                texts += [_texts(held, name).unique() for name in _TEXTS[config]]
        for rows in _row_groups(notes, [*_KEYS, "text"]):
            if "text" in rows.column_names:
                texts += _beginnings(rows.filter(pc.invert(self.passes(rows))))
        secrets = pc.drop_null(pa.concat_arrays(texts).unique())
        secrets = secrets.filter(pc.not_equal(secrets, ""))
        for (config, _), files in shards.items() if len(secrets) else ():
            for rows in _row_groups(files, [*_KEYS, *_TEXTS[config]]):
                passed = rows.filter(self.passes(rows))
                for name in _TEXTS[config]:
                    free = pc.is_in(secrets, value_set=_texts(passed, name).unique())
                    secrets = secrets.filter(pc.invert(free))
        return replace(self.held, texts=as_drops_cut_it(secrets))

    def _licensed(self, rows: pa.Table) -> pa.ChunkedArray:
        """True where licence and source of a row let it leave."""
        if "license" in rows.column_names:
            open_licenses = pa.array([license.id for license in LICENSES.values() if license.redistributable])
            mask = pc.and_(pc.fill_null(rows["redistributable"], False), pc.is_in(rows["license"], open_licenses))
            shut = pa.array(sorted(self.held.sources), pa.string())
            mask = pc.and_(mask, pc.and_not(pc.is_valid(rows["source"]), pc.is_in(rows["source"], shut)))
            return pc.and_(mask, _as_the_source_says(rows))
        if "source" in rows.column_names:
            return pc.is_in(rows["source"], pa.array(sorted(self.held.open_sources), pa.string()))
        return pa.chunked_array([pa.repeat(True, len(rows))])

    def _without_negatives(self, rows: pa.Table) -> pa.Table:
        column = rows["negatives"].combine_chunks()
        texts = column.flatten()
        shut = pc.or_(self.held.quotes(texts), self.held.names(texts, by_source=False))
        if not pc.any(shut).as_py():
            return rows
        secret = frozenset(texts.filter(shut).to_pylist())
        cleaned = [[text for text in texts or [] if text not in secret] for texts in column.to_pylist()]
        return _set(rows, "negatives", pa.array(cleaned, column.type))

    def _without_quotes(self, rows: pa.Table, name: str) -> pa.Table:
        column = rows[name].combine_chunks()
        shut = pc.or_(self.held.quotes(column), self.held.names(column, by_source=name in ("value", "nearest_id")))
        if not pc.any(shut).as_py():
            return rows
        for other in _LINK if name == "nearest_id" else (name,):
            column = rows[other].combine_chunks()
            rows = _set(rows, other, pc.if_else(shut, pa.scalar(None, column.type), column))
        return rows


def _is_open(name: str, facts: Mapping[str, Any]) -> bool:
    """Whether a source may leave, by what the build's report says of it."""
    license = LICENSES.get(str(facts.get("license")))
    if facts.get("redistributable") is not True or license is None or not license.redistributable:
        return False
    builder = builders().get(name)
    return builder is None or builder.INFO.license == license.id


def _has_ids(rows: pa.Table) -> pa.ChunkedArray:
    """False where a row has no id of its own, or no dialogue where it should be of one."""
    mask = pa.chunked_array([pa.repeat(True, len(rows))])
    for name in _IDS:
        if name in rows.column_names:
            has = pc.is_valid(rows[name])
            for column, of_no_dialogue in (("pair_type", "same_intent"), ("config", "downstream")):
                if name == "dialogue_id" and column in rows.column_names:
                    has = pc.or_(has, pc.fill_null(pc.equal(rows[column], of_no_dialogue), False))
            mask = pc.and_(mask, has)
    return mask


def _stem(ids: pa.ChunkedArray) -> pa.Array:
    """The ids; of a pair that of its dialogue."""
    return pc.replace_substring_regex(ids, r"#\d+$", "").combine_chunks()


def _beginnings(drops: pa.Table) -> list[pa.Array]:
    """What dropped rows say: each text as it is recorded, and the utterances in it."""
    texts = drops["text"].combine_chunks()
    return [texts.unique(), *(pc.split_pattern(texts, mark).flatten().unique() for mark in (" | ", " -> "))]


def _set(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)


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
