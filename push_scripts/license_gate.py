"""Rows that may not be redistributed never leave this machine.

A row passes when its `redistributable` is exactly true, its licence is a known one, and the dialogue that it
was taken from passed too. Whether the repository is private does not matter: uploading is passing on.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.parquet import ShardWriter

UNKNOWN = ("", "unknown", "none", "null")
"""Licence values, in lower case, that say nothing."""


@dataclass
class GateReport:
    """Rows by what happened to them.

    Attributes:
        passed: (config, source, licence) -> rows that may be published.
        held: (config, source) -> rows that were left out.
    """

    passed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)

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

    Dialogues must go through before pairs, so that a pair of a held-back dialogue is recognised.

    Attributes:
        report: What passed and what was held back so far.
    """

    def __init__(self) -> None:
        self.report = GateReport()
        self._held_dialogues = pa.array([], pa.string())

    def admit(self, config: str, split: str, shards: Sequence[Path], folder: Path) -> list[Path]:
        """Puts the rows of one split that may be published into a folder.

        A split with nothing to hold back stays as it is, in hard links (copies across file systems).
        Otherwise its row groups are filtered one at a time into new shards, with the schema's metadata kept.

        Args:
            config: Config of the split.
            split: Name of the split.
            shards: Its parquet files in order.
            folder: Where to put the shards; made when missing.

        Returns:
            The shards in `folder`; none when no row may be published.
        """
        # links first: what is judged and what is uploaded is one file, even when a new build comes in between
        aside = folder / f".{split}"
        aside.mkdir(parents=True)
        links = [link_or_copy(shard, aside / shard.name) for shard in shards]
        held = 0
        for rows in _row_groups(links, ["source", "license", "redistributable", "dialogue_id"]):
            mask = self._mask(rows)
            held += self._count(config, rows.filter(mask), rows.filter(pc.invert(mask)))
        if not held:
            admitted = [link.rename(folder / link.name) for link in links]
        else:
            writer = ShardWriter(folder, split, pq.read_schema(links[0]))
            for rows in _row_groups(links):
                writer.write(rows.filter(self._mask(rows)))
            admitted = writer.close()
        shutil.rmtree(aside)
        return admitted

    def admit_notes(self, file: Path, target: Path) -> None:
        """Copies a table about the rows (drops, clusters) without the entries on rows that may not be published.

        All dialogues must have gone through before: a table without licence columns goes by its `dialogue_id`.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(target, pq.read_schema(file), compression="zstd") as writer:
            for rows in _row_groups([file]):
                writer.write_table(rows.filter(self._mask(rows)))

    def _mask(self, rows: pa.Table) -> pa.ChunkedArray:
        mask = pa.chunked_array([pa.repeat(True, len(rows))])
        if "license" in rows.column_names:
            license = pc.utf8_lower(pc.utf8_trim_whitespace(rows["license"]))
            known = pc.invert(pc.is_in(license, value_set=pa.array([*UNKNOWN, None], pa.string())))
            mask = pc.and_(pc.fill_null(rows["redistributable"], False), known)
        if "dialogue_id" in rows.column_names:
            mask = pc.and_(mask, pc.invert(pc.is_in(rows["dialogue_id"], value_set=self._held_dialogues)))
        return mask

    def _count(self, config: str, passed: pa.Table, held: pa.Table) -> int:
        for row in passed.group_by(["source", "license"]).aggregate([([], "count_all")]).to_pylist():
            self.report.passed[config, str(row["source"]), row["license"]] += row["count_all"]
        for row in held.group_by("source").aggregate([([], "count_all")]).to_pylist():
            self.report.held[config, str(row["source"])] += row["count_all"]
        if config == "dialogues":
            self._held_dialogues = pa.concat_arrays([self._held_dialogues, *held["dialogue_id"].chunks])
        return len(held)


def _row_groups(shards: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of all shards, one at a time, with those of the named columns that there are."""
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            names = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=names)


def link_or_copy(path: Path, target: Path) -> Path:
    """A hard link, which costs nothing; a copy where links are not possible. Returns `target`."""
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)
    return target
