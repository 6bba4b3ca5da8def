"""What each part of a database is made from, as one digest: a part is written again only when its digest changes."""

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
    "parquet_drops": "quality/drops.parquet",
    "parquet_clusters": "quality/clusters.parquet",
}
"""View over parquet files -> the files in a dataset folder."""


def fingerprints(folder: Path) -> dict[str, str]:
    """Table or view of the database -> digest of its files and SQL; those first that others read.

    Args:
        folder: A dataset folder.

    Raises:
        DataError: A file cannot be read.
    """
    found = {
        view: _digest(*(f"{path.name} {sha256(path)}" for path in sorted(folder.glob(pattern))))
        for view, pattern in FILES.items()
    }
    report = sha256(folder / REPORT)
    # what the package knows about its sources stands in them too
    parts = {name: _digest(report, str(schema), version("dialogue-cube")) for name, schema in facts.SCHEMAS.items()}
    for query in sql.queries().values():
        parts[query.name] = found[query.name] = _digest(
            sql.MACROS, sql.PARQUET, query.view, str(sql.KEYS.get(query.name)), *(found[name] for name in query.reads)
        )
    return parts


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
