"""Datasets that a test edits, as if a build had written them so."""

import json
from pathlib import Path

from dataset_builders.folder.layout import REPORT
from dataset_builders.sources.raw_files import sha256


def renew_digests(folder: Path) -> Path:
    """Write the digests of the parquet files into the report of a dataset folder; returns the folder."""
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    report["files"] = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*.parquet"))}
    (folder / REPORT).write_text(json.dumps(report), encoding="utf-8")
    return folder
