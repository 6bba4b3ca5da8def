"""Layout of the dataset folder, and how to recognise one."""

from __future__ import annotations

import json
from pathlib import Path

from dataset_builders.common.integrity import REPORT as REPORT
from dataset_builders.common.outputs import OutputKind

CARD = Path("README.md")
DROPS = Path("quality", "drops.parquet")
CLUSTERS = Path("quality", "clusters.parquet")

FORMAT = "dialogue-cube dataset 5"
"""First value of the report. It marks a folder as the output of a build, which a later build may replace."""


def is_dataset(folder: Path) -> bool:
    """Whether a build of any version wrote the folder."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        return bool(report["format"].startswith("dialogue-cube"))
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return False


_NUMBER = "[0-9]" * 5

DATASET = OutputKind(
    "`dialogue-cube build`",
    "--out",
    is_dataset,
    (
        *(path.as_posix() for path in (CARD, REPORT, DROPS, CLUSTERS)),
        f"*/*-{_NUMBER}-of-{_NUMBER}.parquet",  # any config and split: the schema is slow to import
    ),
)
"""The files that a build writes; it replaces a folder only if it contains nothing else."""
