"""The files of a folder that `dialogue-cube build` wrote; all other files in it are ignored.

README.md                                      the card; a push writes a new one for the published rows
{dialogues,pairs,downstream}/SPLIT-*.parquet   the rows
quality/report.json                            how the dataset was built
quality/{drops,clusters}.parquet               the dropped rows, and the clusters of duplicate dialogues; large ones are
                                               in parts, such as drops-00000-of-00002.parquet
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.common.listing import list_files
from dataset_builders.folder.report import load_report
from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS, CONFIGS, DROPS, SPLITS, Config, Split
from dataset_builders.sources.raw_files import sha256
from push_scripts.errors import PushError

CARD, REPORT = "README.md", "quality/report.json"
NOTES = {"drops": DROPS.arrow_schema, "clusters": CLUSTERS.arrow_schema}
PART = re.compile(r"(?P<name>[a-z]+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.parquet")
OWNED = re.compile(
    r"(dialogues|pairs|downstream)/(train|validation|test)-\d{5}-of-\d{5}\.parquet"
    r"|quality/(drops|clusters)(-\d{5}-of-\d{5})?\.parquet"
)
"""Files of an earlier push that a new one replaces or deletes."""


@dataclass(frozen=True)
class DatasetFolder:
    """The files of a built dataset, checked.

    Attributes:
        report: Content of `quality/report.json`.
        shards: (config, split) -> parquet files in order; dialogues first.
        notes: Path in the folder -> parquet file of a table about the rows, drops first, then clusters.
    """

    report: dict[str, Any]
    shards: dict[tuple[Config, Split], list[Path]]
    notes: dict[str, Path]


def read_folder(data: Path) -> DatasetFolder:
    """Check that a folder holds a complete dataset with the columns of this version.

    Args:
        data: Folder that `dialogue-cube build` wrote.

    Raises:
        PushError: It does not; the message names the command that makes one.
    """
    expected = f"expected a folder made by `dialogue-cube build --raw-dir RAW --out {data}`"
    if not data.is_dir():
        raise PushError(f"--data {data}: no such folder; {expected}")
    if not (data / REPORT).is_file():
        raise PushError(f"--data {data}: not a built dataset, {REPORT} is missing; {expected}")
    report = load_report(data, expected, error=PushError)
    shards = {(c, s): paths for c in CONFIGS for s in SPLITS if (paths := _shards(data / c, s))}
    if not shards:
        raise PushError(
            f"--data {data}: no dialogues/, pairs/ or downstream/ with SPLIT-NNNNN-of-NNNNN.parquet; {expected}"
        )
    for (config, _), paths in shards.items():
        for path in paths:
            _check_columns(path, ARROW_SCHEMAS[config])
    notes = {f"quality/{path.name}": path for name in NOTES for path in _notes(data / "quality", name)}
    for path in notes.values():
        _check_columns(path, NOTES[path.stem.partition("-")[0]])
    return DatasetFolder(report, shards, notes)


def row_groups(files: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of parquet files, with those of the named columns that exist.

    Args:
        files: Parquet files.
        columns: Names of columns; None for all.
    """
    for file in files:
        with pq.ParquetFile(file) as table:
            names = None if columns is None else [name for name in columns if name in table.schema_arrow.names]
            for group in range(table.num_row_groups):
                yield table.read_row_group(group, columns=names)


def check_unchanged(report: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """Check that nobody has edited the files since the build: their licences and texts are those of the sources.

    Args:
        report: Content of `quality/report.json`.
        files: Path in the dataset folder -> parquet file.

    Raises:
        PushError: A file differs from its digest in the report, or has no digest there.
    """
    digests = report.get("files") or {}
    changed = sorted(name for name, path in files.items() if digests.get(name) != sha256(path))
    if changed:
        names = ", ".join(changed[:5]) + (" and more" if len(changed) > 5 else "")
        raise PushError(
            f"{names}: changed since the build, or not listed in {REPORT}; build the dataset again with "
            "`dialogue-cube build` instead of editing its files"
        )


def fingerprint_of(digests: Mapping[str, str]) -> str:
    """Compute the fingerprint of the rows as the build does: from the digests of all shards, without the notes."""
    rows = {name: digest for name, digest in sorted(digests.items()) if name.split("/")[0] in CONFIGS}
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def without_sources(report: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Remove some sources from the report: their counts, digests of raw files, leaks, duplicates and decisions.

    Args:
        report: Content of `quality/report.json`.
        names: Names of the sources to remove.
    """

    def keep(table: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if depth:
            return {key: keep(inner, depth - 1) for key, inner in table.items()}
        return {key: inner for key, inner in table.items() if not set(key.split("|")) & set(names)}

    return {**report, **{key: keep(report[key] or {}, depth) for key, depth in _DEPTHS.items() if key in report}}


_DEPTHS = {"sources": 0, "rows": 1, "duplicates": 1, "leaks": 2, "decisions": 0}
"""Tables of the report -> levels above the names of the sources."""


def _notes(folder: Path, name: str) -> list[Path]:
    """The files of a table about the rows: one, or its parts, or none."""
    parts, whole = _shards(folder, name), folder / f"{name}.parquet"
    if parts and whole.is_file():
        raise PushError(f"{folder}: {whole.name} and {parts[0].name} are from two builds; build again")
    return parts or [whole] * whole.is_file()


def _shards(folder: Path, name: str) -> list[Path]:
    matches = [(m, path) for path in list_files(folder, "*.parquet") if (m := PART.fullmatch(path.name))]
    shards = sorted((int(m["number"]), int(m["total"]), path) for m, path in matches if m["name"] == name)
    if [(number, total) for number, total, _ in shards] != [(i, len(shards)) for i in range(len(shards))]:
        raise PushError(
            f"{folder}: the {name} shards are incomplete or from two builds "
            f"({', '.join(path.name for *_, path in shards)}); build again with `dialogue-cube build`"
        )
    return [path for *_, path in shards]


def _check_columns(path: Path, expected: pa.Schema) -> None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise PushError(f"{path} is not a readable parquet file ({error}); build the dataset again") from error
    if not schema.equals(expected):  # names, order and types, but not the metadata
        types, expected_types = ({field.name: field.type for field in fields} for fields in (schema, expected))
        names = types.keys() | expected_types.keys()
        differing = {name for name in names if types.get(name) != expected_types.get(name)} or {"their order"}
        raise PushError(
            f"{path}: the columns are not those of this version "
            f"(differing: {', '.join(sorted(differing))}); build the dataset again with `dialogue-cube build`"
        )
