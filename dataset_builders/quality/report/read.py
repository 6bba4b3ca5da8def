"""The quality report of a dataset folder: what `build` noted, and statistics counted anew from the parquet.

The two are held against each other: a report that does not describe the rows beside it says so.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.folder.layout import REPORT
from dataset_builders.schema import CONFIGS
from dataset_builders.sql.run import Rows, statistics

UNCHECKED = "built without quality checks: build it again"
"""Stands where the folder says nothing."""


@dataclass(frozen=True)
class QualityReport:
    """All numbers of one dataset folder.

    Attributes:
        name: Of the folder.
        built: `quality/report.json` as `build` wrote it.
        statistics: Query name -> its rows (`dataset_builders.sql.run`).
        disagreements: One line for each number of `built` that the parquet files contradict; empty when all is well.
    """

    name: str
    built: dict[str, Any]
    statistics: dict[str, Rows]
    disagreements: list[str]

    def to_json(self) -> str:
        """All numbers; equal folders give equal text."""
        noted = {key: self.built.get(key) for key in ("options", "rows", "leaks", "duplicates")}
        content = {
            "dataset": self.name,
            "fingerprint": self.built.get("fingerprint"),
            "disagreements": self.disagreements,
            **noted,
            "statistics": self.statistics,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_report(folder: str | Path, progress: Callable[[str], None] | None = None) -> QualityReport:
    """Read what `build` noted, count the statistics, compare.

    Args:
        folder: A folder made by `dialogue-cube build`.
        progress: Called with what is counted next.

    Raises:
        DataError: Not a dataset folder, a file of it is missing, or one cannot be read.
    """
    folder = Path(folder)
    built = read_built(folder)
    counted = statistics(folder, progress)
    return QualityReport(folder.resolve().name, built, counted, list(_disagreements(built, counted)))


def read_built(folder: Path) -> dict[str, Any]:
    """What `build` wrote into its report.

    Raises:
        DataError: See `read_report`.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; `dialogue-cube build` makes one")
    path = folder / REPORT
    try:
        built = json.loads(path.read_text(encoding="utf-8"))
        ours = str(built["format"]).startswith("dialogue-cube dataset")
    except FileNotFoundError:
        raise DataError(f"{folder} has no {REPORT.as_posix()}; name a folder made by `dialogue-cube build`") from None
    except (ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise DataError(f"{path} is not the report of `dialogue-cube build`; build the folder again")
    missing = sorted(name for name in built.get("files", {}) if not (folder / name).is_file())
    if missing:
        what = f"{folder / missing[0]} is missing ({len(missing)} of {len(built['files'])} files)"
        raise DataError(f"{what}; build or download the folder again")
    return built


def _disagreements(built: dict[str, Any], counted: dict[str, Rows]) -> Iterator[str]:
    """Rows in = rows out + rows dropped, and both as the parquet files have them."""
    rows_out: dict[str, Counter[str]] = {config: Counter() for config in CONFIGS}
    for config, query, column in (
        ("dialogues", "dialogue_statistics", "dialogues"),
        ("pairs", "pair_statistics", "pairs"),
        ("downstream", "downstream_statistics", "rows"),
    ):
        for row in counted[query]:
            if row["source"] is not None and row["split"] is None:
                rows_out[config][row["source"]] = row[column]
    there: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in counted["drop_counts"]:
        there[row["config"], row["source"]]["dropped"][row["filter"]] += row["rows"]
    for row in counted["flags"]:
        there[row["config"], row["source"]]["flagged"][row["flag"]] += row["rows"]
    for config, sources in built.get("rows", {}).items():
        for source, noted in sources.items():
            where = f"{config} of {source}"
            if noted["in"] != noted["out"] + sum(noted["dropped"].values()):
                yield f"{where}: {noted['in']:,} rows in are not the rows out and the dropped together"
            if noted["out"] != rows_out[config][source]:
                yield f"{where}: {noted['out']:,} rows noted, {rows_out[config][source]:,} are there"
            for what in ("dropped", "flagged"):
                found = there[config, source][what]
                for name in sorted({*noted[what], *found}):
                    if (number := noted[what].get(name, 0)) != found[name]:
                        yield f"{where}: {number:,} rows {what} by {name} noted, {found[name]:,} are there"
