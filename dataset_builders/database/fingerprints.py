"""Fingerprints of a database's tables and views: digests of the files and the SQL that they are made from."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from dataset_builders import sql
from dataset_builders.database import facts
from dataset_builders.folder.layout import REPORT
from dataset_builders.sources.raw_files import sha256

FILES = {
    "parquet_dialogues": "dialogues/*.parquet",
    "parquet_pairs": "pairs/*.parquet",
    "parquet_downstream": "downstream/*.parquet",
    "parquet_drops": "quality/drops*.parquet",
    "parquet_clusters": "quality/clusters*.parquet",
}
"""Parquet files of a dataset folder, by the view over them."""


def fingerprints(folder: Path) -> dict[str, str]:
    """Fingerprint of each table and view; tables that others read come first.

    Args:
        folder: A dataset folder.

    Raises:
        DataError: A file cannot be read.
    """
    digests = {
        view: _digest(*(f"{path.name} {sha256(path)}" for path in sorted(folder.glob(pattern))))
        for view, pattern in FILES.items()
    }
    report = sha256(folder / REPORT)
    # these tables also hold facts about sources that are part of the package
    parts = {name: _digest(report, str(schema), version("dialogue-cube")) for name, schema in facts.SCHEMAS.items()}
    for query in sql.queries().values():
        inputs = (digests[name] for name in query.reads)
        digest = _digest(sql.MACROS, sql.PARQUET, query.view, str(sql.KEYS.get(query.name)), *inputs)
        parts[query.name] = digests[query.name] = digest
    return parts


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
