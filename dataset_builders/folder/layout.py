"""The dataset folder on disk: what lies in it, and how it is told from any other folder."""

from __future__ import annotations

import json
from pathlib import Path

from dataset_builders.common.outputs import OutputKind
from dataset_builders.schema import CONFIGS, SPLITS

CARD = Path("README.md")
REPORT = Path("quality", "report.json")
DROPS = Path("quality", "drops.parquet")
CLUSTERS = Path("quality", "clusters.parquet")

FORMAT = "dialogue-cube dataset 2"
"""First value of the report: marks a folder as ours, so that a build may replace it."""


def is_dataset(folder: Path) -> bool:
    """True for a folder that a build wrote, whatever the version."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        return bool(report["format"].startswith("dialogue-cube"))
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return False


_NUMBER = "[0-9]" * 5

DATASET = OutputKind(
    "`dialogue-cube build`",
    "--out",
    is_dataset,
    (
        *(path.as_posix() for path in (CARD, REPORT, DROPS, CLUSTERS)),
        *(f"{config}/{split}-{_NUMBER}-of-{_NUMBER}.parquet" for config in CONFIGS for split in SPLITS),
    ),
)
"""What a build may replace, and nothing else."""
