"""The folder that `dialogue-cube build` writes, and nothing else that may lie in it.

README.md                                      the card; a push writes its own, from what it publishes
{dialogues,pairs,downstream}/SPLIT-*.parquet   the rows
quality/report.json                            how it was built
quality/{drops,clusters}.parquet               what was left out, and which dialogues are duplicates
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS, CONFIGS, DROPS, SPLITS, Config, Split
from dataset_builders.sources.raw_files import sha256
from push_scripts.errors import PushError

CARD, REPORT = "README.md", "quality/report.json"
SHARD = re.compile(r"(?P<split>train|validation|test)-(?P<number>\d{5})-of-(?P<total>\d{5})\.parquet")
SHARD_PATH = re.compile(rf"(dialogues|pairs|downstream)/{SHARD.pattern}")
NOTES = {"quality/drops.parquet": DROPS.arrow_schema, "quality/clusters.parquet": CLUSTERS.arrow_schema}


@dataclass(frozen=True)
class DatasetFolder:
    """A built dataset that was checked.

    Attributes:
        report: Content of `quality/report.json`.
        shards: (config, split) -> parquet files in order; dialogues first.
        notes: Path in the folder -> table about the rows.
    """

    report: dict[str, Any]
    shards: dict[tuple[Config, Split], list[Path]]
    notes: dict[str, Path]


def read_folder(data: Path) -> DatasetFolder:
    """Checks that a folder is a whole dataset of this version's columns.

    Raises:
        PushError: It is not; says what was expected and which command makes it.
    """
    makes = f"expected a folder made by `dialogue-cube build --raw-dir RAW --out {data}`"
    if not data.is_dir():
        raise PushError(f"--data {data}: no such folder; {makes}")
    if not (data / REPORT).is_file():
        raise PushError(f"--data {data}: not a built dataset, {REPORT} is missing; {makes}")
    try:
        report = json.loads((data / REPORT).read_text(encoding="utf-8"))
    except ValueError as error:  # json and unicode errors both
        raise PushError(f"--data {data}: {REPORT} is damaged ({error}); {makes}") from error
    if not (isinstance(report, dict) and str(report.get("format", "")).startswith("dialogue-cube dataset")):
        raise PushError(f"--data {data}: {REPORT} is not that of a built dataset; {makes}")
    shards = {(c, s): found for c in CONFIGS for s in SPLITS if (found := _shards(data / c, s))}
    if not shards:
        raise PushError(
            f"--data {data}: no dialogues/, pairs/ or downstream/ with SPLIT-NNNNN-of-NNNNN.parquet; {makes}"
        )
    for (config, _), paths in shards.items():
        for path in paths:
            _check_columns(path, ARROW_SCHEMAS[config])
    notes = {name: data / name for name in NOTES if (data / name).is_file()}
    for name, path in notes.items():
        _check_columns(path, NOTES[name])
    return DatasetFolder(report, shards, notes)


def check_unchanged(report: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """The files are those that the build wrote: licences and texts are the sources', not somebody's later edit.

    Args:
        report: Content of `quality/report.json`.
        files: Path in the dataset folder -> parquet file.

    Raises:
        PushError: A file differs from its digest in the report, or has none there.
    """
    digests = report.get("files") or {}
    changed = sorted(name for name, path in files.items() if digests.get(name) != sha256(path))
    if changed:
        raise PushError(
            f"{', '.join(changed[:5])}{' and more' if len(changed) > 5 else ''}: not what {REPORT} says the build "
            "wrote; build the dataset again with `dialogue-cube build` instead of editing its files"
        )


def fingerprint_of(digests: Mapping[str, str]) -> str:
    """The fingerprint of rows, as the build computes it: of the digests of all shards, notes left out."""
    rows = {name: digest for name, digest in sorted(digests.items()) if name.split("/")[0] in CONFIGS}
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def without_sources(report: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The report without what it says of some sources: counts, digests of raw files, leaks, duplicates.

    Args:
        report: Content of `quality/report.json`.
        names: The sources.
    """
    others = {key: value for key, value in report.items() if key in ("leaks", "rows", "sources", "duplicates")}

    def keep(table: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if depth:
            return {key: keep(inner, depth - 1) for key, inner in table.items()}
        return {key: inner for key, inner in table.items() if not set(key.split("|")) & set(names)}

    depths = {"sources": 0, "rows": 1, "duplicates": 1, "leaks": 2}
    return {**report, **{key: keep(table or {}, depths[key]) for key, table in others.items()}}


def _shards(folder: Path, split: str) -> list[Path]:
    named = [(m, path) for path in folder.glob("*.parquet") if (m := SHARD.fullmatch(path.name)) and path.is_file()]
    ours = sorted((int(m["number"]), int(m["total"]), path) for m, path in named if m["split"] == split)
    if [(number, total) for number, total, _ in ours] != [(i, len(ours)) for i in range(len(ours))]:
        raise PushError(
            f"{folder}: the {split} shards are incomplete or of two builds "
            f"({', '.join(path.name for *_, path in ours)}); build again with `dialogue-cube build`"
        )
    return [path for *_, path in ours]


def _check_columns(path: Path, expected: pa.Schema) -> None:
    try:
        found = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise PushError(f"{path} is not a readable parquet file ({error}); build the dataset again") from error
    if not found.equals(expected):  # names, order and types; metadata apart
        types = [{field.name: field.type for field in schema} for schema in (found, expected)]
        names = set(types[0]) | set(types[1])
        differing = {n for n in names if types[0].get(n) != types[1].get(n)} or {"their order"}
        raise PushError(
            f"{path}: columns are not those of this version "
            f"(differing: {', '.join(sorted(differing))}); build the dataset again with `dialogue-cube build`"
        )
