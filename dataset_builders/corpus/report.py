"""The build report, `quality/report.json`: options, row counts, drops, leaks and file digests."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dataset_builders.common.listing import walk
from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.corpus.deciding import outcomes
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.folder.layout import FORMAT, REPORT
from dataset_builders.schema import CONFIGS, SPLITS
from dataset_builders.sources.raw_files import sha256
from dataset_builders.survey.decisions import Survey


def write_report(folder: Path, results: list[SourceCounts], options: BuildOptions, survey: Survey) -> str:
    """Write the report.

    Args:
        folder: Dataset folder with all its parquet files.
        results: Counts of each source.
        options: Options of the build.
        survey: Duplicates and leaks of all sources.

    Returns:
        Fingerprint of the rows of all three configs, 16 hex digits.
    """
    digests = {path.relative_to(folder).as_posix(): sha256(path) for path in walk(folder) if path.suffix == ".parquet"}
    rows = {name: digest for name, digest in digests.items() if name.split("/")[0] in CONFIGS}
    fingerprint = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    report: dict[str, Any] = {
        "format": FORMAT,
        "version": version("dialogue-cube"),
        "fingerprint": fingerprint,
        "options": options.as_dict(),
        "sources": {
            r.info.name: {
                "config": r.config,
                "license": r.info.license,
                "redistributable": r.info.redistributable,
                "input_hash": r.input_hash,
                "differs_from_official": r.differences(),
                "rejected": r.rejected,
                "coverage": r.coverage() if r.info.kind == "dialogues" else {},
                "original_splits": r.original,
                "splits": {split: r.written[split] for split in SPLITS if split in r.written},
            }
            for r in results
        },
        "rows": {
            config: {r.info.name: r.rows[config].as_dict() for r in results if r.rows[config].rows_in}
            for config in CONFIGS
        },
        "leaks": {
            "before": survey.leaks["before"],
            "after": survey.leaks["after"]
            | {
                "benchmark": {
                    r.info.name: {"train-test": r.benchmark_pairs} for r in results if r.info.kind == "dialogues"
                }
            },
        },
        "duplicates": survey.duplicates,
        "not_compared": survey.skipped,
        **_decisions(results, options),
        "files": digests,
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return fingerprint


def _decisions(results: list[SourceCounts], options: BuildOptions) -> dict[str, Any]:
    """What became of the decisions about the rows of each source; nothing for a build without decisions."""
    if not options.decisions:
        return {}
    by_source = {r.info.name: outcomes(options.decisions.about(r.info.name), r.decided) for r in results}
    return {"decisions": {name: entry for name, entry in by_source.items() if len(entry) > 1}}
