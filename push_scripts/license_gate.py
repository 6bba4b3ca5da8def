"""Hold back the rows that may not be redistributed, with their ids and texts.

A row passes if all of these are true:

- its `redistributable` is exactly true,
- its licence is one of `licenses.LICENSES` and allows redistribution,
- its source is not called like a restricted one; if this project has a builder of it, the licence is the builder's, and
  the build's report agrees,
- it has a source and an id, its ids begin with the name of the source, and none of them is that of a held-back row,
- the dialogue that it comes from passes,
- if this project has no builder of that source, it repeats no held-back row: see `push_scripts.copies`.

Drop records follow the same rules. Members of clusters pass by their source: a source passes only if it is known to be
open. Ids and texts of held-back rows that occur in passing rows and records (hard negatives, the value of a drop, the
nearest dialogue) become null or are removed. The rules are the same for a private repository, since an upload is a
redistribution too.

What the gate cannot notice, so that it remains the word of the user: restricted text as own data in a build without the
source that it comes from; text in other words, or in another language; single turns and intents shorter than
`copies.LONG_COPY` words; a source called like a restricted one in letters of another script; and rows, ids, clusters
and digests that are all rewritten to agree with each other. Of models: a record of the training (`training.json`) that
was edited by hand with its digests, or deleted from the encoder that an assistant is built from, which then counts as
one that was published by others. The gate guards against mistakes. It is no proof of origin.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
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
from push_scripts.copies import find_copies
from push_scripts.dataset_folder import row_groups
from push_scripts.held_back import HeldBack, with_cut_texts

_IDS = ("dialogue_id", "pair_id", "utterance_id", "row_id")
_KEYS = ["source", "license", "redistributable", *_IDS, "pair_type", "config"]
_TEXTS = {"dialogues": ["turns"], "pairs": ["anchor", "positive"], "downstream": ["utterance"]}
_QUOTES = ("cluster_id", "metadata", "nearest_id", "reason", "value", "text")
"""Columns that may name or quote another row."""
_LINK = ("nearest_id", "similarity", "kind")
"""Columns of the clusters that describe the nearest dialogue."""


@dataclass
class GateReport:
    """Numbers of rows that pass and that are held back.

    Attributes:
        passed: (config, source, licence) -> number of rows that may be published.
        held_back: (config, source) -> number of rows that may not.
        copies: Own source -> number of its dialogues and utterances that are held back because they repeat others.
    """

    passed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    held_back: Counter[tuple[str, str]] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)

    def count(self, config: str, rows: pa.Table, mask: pa.ChunkedArray) -> None:
        """Count rows.

        Args:
            config: Config of the rows.
            rows: Rows with `source` and `license`, [n].
            mask: Whether a row passes, boolean [n].
        """
        for row in rows.filter(mask).group_by(["source", "license"]).aggregate([([], "count_all")]).to_pylist():
            self.passed[config, str(row["source"]), row["license"]] += row["count_all"]
        for row in rows.filter(pc.invert(mask)).group_by("source").aggregate([([], "count_all")]).to_pylist():
            self.held_back[config, str(row["source"])] += row["count_all"]

    @property
    def licenses(self) -> list[str]:
        """Ids of the licences of the rows that may be published, sorted."""
        return sorted({license for _, _, license in self.passed})

    def held_back_by_source(self) -> dict[str, dict[str, int]]:
        """Return source -> config -> number of rows held back, sorted by source."""
        rows: dict[str, dict[str, int]] = {}
        for (config, source), count in sorted(self.held_back.items(), key=lambda item: item[0][::-1]):
            rows.setdefault(source, {})[config] = count
        return rows


class LicenseGate:
    """Select the rows that may be published.

    Args:
        shards: (config, split) -> parquet files.
        notes: Parquet files of tables about the rows, also about rows that are not in `shards`: drops first, then
            clusters.
        sources: Source -> its facts in the build's report (`license`, `redistributable`).

    Attributes:
        report: Numbers of rows that pass and that are held back.
        held_back: Sources, ids and texts that must not be published.
    """

    def __init__(
        self,
        shards: Mapping[tuple[Config, Split], Sequence[Path]],
        notes: Sequence[Path] = (),
        sources: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.report = GateReport()
        restricted_sources = {name for name, builder in builders().items() if not builder.INFO.redistributable}
        restricted_sources |= {name for name, facts in (sources or {}).items() if not _is_open(name, facts)}
        open_sources = frozenset(sources or {}) - restricted_sources
        no_strings = pa.array([], pa.string())
        self.held_back = HeldBack(frozenset(restricted_sources), open_sources, no_strings, no_strings)
        self.held_back = self._with_ids(shards, notes)
        all_shards = [file for files in shards.values() for file in files]
        own_sources = self.held_back.open_sources - builders().keys()
        copies = find_copies(all_shards, notes, _KEYS, self.passes, own_sources)
        self.report.copies.update(copies["source"].to_pylist())
        ids = pa.concat_arrays([self.held_back.ids, copies["id"].combine_chunks()]).unique()
        self.held_back = replace(self.held_back, ids=ids)
        self.held_back = self._with_texts(shards, notes)
        for (config, _), files in shards.items():
            for rows in row_groups(files, _KEYS):
                self.report.count(config, rows, self.passes(rows))

    def admit(self, split: str, shards: Sequence[Path], folder: Path) -> list[Path]:
        """Write the rows of a split that may be published.

        If all of them may, the shards are hard links (copies on another file system). Otherwise the row groups are
        filtered one at a time into new shards, with the metadata of the schema.

        Args:
            split: Name of the split.
            shards: Parquet files of the split, in order.
            folder: Folder for the shards, created if missing.

        Returns:
            The shards in `folder`; empty if no row may be published.
        """
        folder.mkdir(parents=True, exist_ok=True)
        quoting = [*_KEYS, "negatives", "cluster_id", "metadata"]
        if all(self.filtered(rows) is rows for rows in row_groups(shards, quoting)):
            return [link_or_copy(shard, folder / shard.name) for shard in shards]
        writer = ShardWriter(folder, split, pq.read_schema(shards[0]))
        for rows in row_groups(shards):
            writer.write(self.filtered(rows))
        return writer.close()

    def admit_notes(self, file: Path, target: Path) -> None:
        """Write a table about the rows (drops, clusters) without its records of held-back rows.

        Where other records name or quote held-back rows, the value becomes null. If there is nothing to remove, the new
        file is a hard link (a copy on another file system).

        Args:
            file: Parquet file of the table.
            target: Path of the new file.
        """
        if all(self.filtered(rows) is rows for rows in row_groups([file])):
            link_or_copy(file, target)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with ParquetWriter(target, pq.read_schema(file), compression="zstd") as writer:
            for rows in row_groups([file]):
                writer.write_table(self.filtered(rows))

    def filtered(self, rows: pa.Table) -> pa.Table:
        """Return the rows that may be published, without ids and texts of held-back rows.

        If there is nothing to remove, this is the same object.
        """
        mask = self.passes(rows)
        if len(rows) and not pc.all(mask).as_py():
            rows = rows.filter(mask)
        if "negatives" in rows.column_names:
            rows = self._without_negatives(rows)
        for name in _QUOTES:
            if name in rows.column_names:
                rows = self._without_quotes(rows, name)
        return rows

    def passes(self, rows: pa.Table) -> pa.ChunkedArray:
        """Return a mask of the rows that may be published; without a licence column, their sources and ids decide."""
        mask = pc.and_(self._licensed(rows), _has_ids(rows))
        for name in _IDS:
            if name in rows.column_names:
                mask = pc.and_(mask, pc.invert(self.held_back.find_ids(rows[name])))
        return mask

    def _with_ids(self, shards: Mapping[tuple[Config, Split], Sequence[Path]], notes: Sequence[Path]) -> HeldBack:
        """Return `held_back` with the ids of held-back rows in all tables, and the sources without an open row."""
        ids, sources = [self.held_back.ids], set(self.held_back.sources)
        for file in [*(file for files in shards.values() for file in files), *notes]:
            for rows in row_groups([file], _KEYS):
                mask = pc.and_(self._licensed(rows), _has_ids(rows))
                passed = rows["source"].filter(mask).unique().to_pylist() if "license" in rows.column_names else []
                self.held_back = replace(self.held_back, open_sources=self.held_back.open_sources.union(passed))
                sources.update(rows["source"].unique().drop_null().to_pylist())
                restricted = rows.filter(pc.invert(mask))
                ids += [_without_pair_number(restricted[name]).unique() for name in _IDS if name in rows.column_names]
        return replace(
            self.held_back, ids=_unique_strings(ids), sources=frozenset(sources) - self.held_back.open_sources
        )

    def _with_texts(self, shards: Mapping[tuple[Config, Split], Sequence[Path]], notes: Sequence[Path]) -> HeldBack:
        """Return `held_back` with the texts that occur in held-back rows only; "Thank you." occurs in open ones too."""
        texts = [self.held_back.texts]
        for (config, _), files in shards.items():
            for rows in row_groups(files, [*_KEYS, *_TEXTS[config]]):
                restricted = rows.filter(pc.invert(self.passes(rows)))
                texts += [_texts(restricted, name).unique() for name in _TEXTS[config]]
        for rows in row_groups(notes, [*_KEYS, "text"]):
            if "text" in rows.column_names:
                texts += _drop_texts(rows.filter(pc.invert(self.passes(rows))))
        secrets = _unique_strings(texts)
        for (config, _), files in shards.items() if len(secrets) else ():
            for rows in row_groups(files, [*_KEYS, *_TEXTS[config]]):
                passed = rows.filter(self.passes(rows))
                for name in _TEXTS[config]:
                    is_open = pc.is_in(secrets, value_set=_texts(passed, name).unique())
                    secrets = secrets.filter(pc.invert(is_open))
        return replace(self.held_back, texts=with_cut_texts(secrets))

    def _licensed(self, rows: pa.Table) -> pa.ChunkedArray:
        """Return a mask of the rows whose licence and source allow redistribution."""
        if "license" in rows.column_names:
            open_licenses = pa.array([license.id for license in LICENSES.values() if license.redistributable])
            mask = pc.and_(pc.fill_null(rows["redistributable"], False), pc.is_in(rows["license"], open_licenses))
            restricted = pa.array(sorted(self.held_back.sources), pa.string())
            is_restricted = pc.is_in(_letters(rows["source"]), _letters(restricted))  # also as "SMD"
            has_source = pc.fill_null(pc.not_equal(_letters(rows["source"]), ""), False)
            mask = pc.and_(mask, pc.and_not(has_source, is_restricted))
            return pc.and_(mask, _has_license_of_source(rows))
        if "source" in rows.column_names:
            return pc.is_in(rows["source"], pa.array(sorted(self.held_back.open_sources), pa.string()))
        return pa.chunked_array([pa.repeat(True, len(rows))])

    def _without_negatives(self, rows: pa.Table) -> pa.Table:
        column = rows["negatives"].combine_chunks()
        texts = column.flatten()
        mask = pc.or_(self.held_back.find_texts(texts), self.held_back.find_ids(texts, by_source=False))
        if not pc.any(mask).as_py():
            return rows
        secrets = frozenset(texts.filter(mask).to_pylist())
        negatives = [[text for text in row or [] if text not in secrets] for row in column.to_pylist()]
        rows = _with_column(rows, "negatives", pa.array(negatives, column.type))
        if "negative" in rows.column_names:
            first = [row[0] if row else None for row in negatives]
            rows = _with_column(rows, "negative", pa.array(first, pa.string()))
        return rows

    def _without_quotes(self, rows: pa.Table, name: str) -> pa.Table:
        column = rows[name].combine_chunks()
        ids = self.held_back.find_ids(column, by_source=name in ("value", "nearest_id"))
        mask = pc.or_(self.held_back.find_texts(column), ids)
        if not pc.any(mask).as_py():
            return rows
        for other in _LINK if name == "nearest_id" else (name,):
            column = rows[other].combine_chunks()
            rows = _with_column(rows, other, pc.if_else(mask, pa.scalar(None, column.type), column))
        return rows


def _is_open(name: str, facts: Mapping[str, Any]) -> bool:
    """Tell whether a source may be published, from its facts in the build's report."""
    license = LICENSES.get(str(facts.get("license")))
    if facts.get("redistributable") is not True or license is None or not license.redistributable:
        return False
    builder = builders().get(name)
    return builder is None or builder.INFO.license == license.id


def _has_ids(rows: pa.Table) -> pa.ChunkedArray:
    """Return a mask of the rows with an id of their own and, where one is required, of a dialogue: `SOURCE/...`."""
    mask = pa.chunked_array([pa.repeat(True, len(rows))])
    for name in _IDS:
        if name in rows.column_names:
            own_prefix = pc.struct_field(pc.extract_regex(rows[name], r"^(?P<source>[^/]+)/"), "source")
            has = pc.fill_null(pc.equal(own_prefix, rows["source"]), False)
            for column, without_dialogue in (("pair_type", "same_intent"), ("config", "downstream")):
                if name == "dialogue_id" and column in rows.column_names:
                    is_missing = pc.and_(pc.is_null(rows[name]), pc.equal(rows[column], without_dialogue))
                    has = pc.or_(has, pc.fill_null(is_missing, False))
            mask = pc.and_(mask, has)
    return mask


def _without_pair_number(ids: pa.ChunkedArray) -> pa.Array:
    """Return the ids, with the id of the dialogue for that of a pair."""
    return pc.replace_substring_regex(ids, r"#\d+$", "").combine_chunks()


def _unique_strings(arrays: list[pa.Array]) -> pa.Array:
    strings = pc.drop_null(pa.concat_arrays(arrays).unique())
    return strings.filter(pc.not_equal(strings, ""))


def _drop_texts(drops: pa.Table) -> list[pa.Array]:
    """Return the texts of drop records: each as recorded, and its utterances."""
    texts = drops["text"].combine_chunks()
    return [texts.unique(), *(pc.split_pattern(texts, mark).flatten().unique() for mark in (" | ", " -> "))]


def _with_column(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)


def _texts(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.struct_field(pc.list_flatten(rows[name]), "text") if name == "turns" else rows[name]


def _letters(names: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return names in lower case, without anything but letters and digits."""
    return pc.replace_substring_regex(pc.utf8_lower(names), r"[^\p{L}\p{N}]", "")


def _has_license_of_source(rows: pa.Table) -> pa.ChunkedArray:
    """Return a mask, false where the licence differs from that of the source's builder."""
    licenses = {name: builder.INFO.license for name, builder in builders().items()}
    index = pc.index_in(rows["source"], value_set=pa.array(list(licenses)))
    expected = pa.array(list(licenses.values())).take(index.combine_chunks())
    return pc.fill_null(pc.equal(rows["license"], expected), True)


def link_or_copy(path: Path, target: Path) -> Path:
    """Make a hard link, or a copy where links are impossible. Return `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)
    return target
