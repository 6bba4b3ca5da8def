"""Read the quality report of a dataset folder, and count statistics from its parquet files.

The two are compared: `QualityReport.disagreements` lists every number of `report.json` that the files contradict.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.integrity import check_dataset
from dataset_builders.folder.layout import REPORT
from dataset_builders.folder.report import load_report
from dataset_builders.schema import CONFIGS
from dataset_builders.sql.run import Rows, statistics

UNCHECKED = "built without quality checks: build it again"
"""Note of a section whose numbers are not in the folder."""


@dataclass(frozen=True)
class QualityReport:
    """The numbers of one dataset folder.

    Attributes:
        name: Name of the folder.
        built: Content of `quality/report.json`, which `build` writes.
        statistics: Rows by name of the query (`dataset_builders.sql.run`).
        disagreements: One line for each number of `built` that the parquet files contradict.
    """

    name: str
    built: dict[str, Any]
    statistics: dict[str, Rows]
    disagreements: list[str]

    def to_json(self) -> str:
        """All numbers as JSON; equal folders give equal text."""
        content = {
            "dataset": self.name,
            "fingerprint": self.built.get("fingerprint"),
            "disagreements": self.disagreements,
            **{key: self.built.get(key) for key in ("options", "rows", "leaks", "duplicates")},
            "statistics": self.statistics,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_report(folder: str | Path, progress: Callable[[str], None] | None = None) -> QualityReport:
    """Read the report of a dataset folder, count its statistics and compare the two.

    Args:
        folder: A folder made by `dialogue-cube build`.
        progress: Called with the name of each query before it runs.

    Raises:
        DataError: The path is no dataset folder, or one of its files is missing or cannot be read.
    """
    folder = Path(folder)
    built = read_built(folder)
    check_dataset(folder, built.get("files", {}), [*CONFIGS, REPORT.parent.name])
    numbers = statistics(folder, progress)
    return QualityReport(folder.resolve().name, built, numbers, list(_disagreements(built, numbers)))


def read_built(folder: Path) -> dict[str, Any]:
    """Read the report that `build` wrote.

    Raises:
        DataError: See `read_report`.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; make one with `dialogue-cube build`")
    if not (folder / REPORT).exists():
        raise DataError(f"{folder} has no {REPORT.as_posix()}; name a folder made by `dialogue-cube build`")
    built = load_report(folder, "build the folder again with `dialogue-cube build`")
    missing = sorted(name for name in built.get("files", {}) if not (folder / name).is_file())
    if missing:
        raise DataError(
            f"{folder / missing[0]} is missing ({len(missing)} of {len(built['files'])} files); build or download the "
            "folder again"
        )
    return built


def _disagreements(built: dict[str, Any], statistics: dict[str, Rows]) -> Iterator[str]:
    """Check that rows in = rows out + rows dropped, and that the parquet files hold the same numbers."""
    rows_out: dict[str, Counter[str]] = {config: Counter() for config in CONFIGS}
    for config, query, column in (
        ("dialogues", "dialogue_statistics", "dialogues"),
        ("pairs", "pair_statistics", "pairs"),
        ("downstream", "downstream_statistics", "rows"),
    ):
        for row in statistics[query]:
            if row["source"] is not None and row["split"] is None:
                rows_out[config][row["source"]] = row[column]
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for row in statistics["drop_counts"]:
        counts[row["config"], row["source"], "dropped"][row["filter"]] += row["rows"]
    for row in statistics["flags"]:
        counts[row["config"], row["source"], "flagged"][row["flag"]] += row["rows"]
    for config, sources in built.get("rows", {}).items():
        for source, numbers in sources.items():
            where = f"{config} of {source}"
            dropped = sum(numbers["dropped"].values())
            if numbers["in"] != numbers["out"] + dropped:
                yield f"{where}: {numbers['in']:,} rows in, but {numbers['out']:,} out and {dropped:,} dropped"
            if numbers["out"] != rows_out[config][source]:
                yield f"{where}: the report says {numbers['out']:,} rows, the files have {rows_out[config][source]:,}"
            for what in ("dropped", "flagged"):
                in_files = counts[config, source, what]
                for name in sorted({*numbers[what], *in_files}):
                    if (number := numbers[what].get(name, 0)) != in_files[name]:
                        yield (
                            f"{where}: the report says {number:,} rows {what} by {name}, the files have "
                            f"{in_files[name]:,}"
                        )
