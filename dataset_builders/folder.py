"""The dataset folder on disk: written aside, and put in place when it is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset_builders.errors import DataError

REPORT = Path("quality", "report.json")
DROPS = Path("quality", "drops.parquet")
CLUSTERS = Path("quality", "clusters.parquet")

FORMAT = "dialogue-cube dataset 2"
"""First value of the report: marks a folder as ours, so that a build may replace it."""


def check_replaceable(out: Path) -> None:
    """Only an absent or empty folder, or one of ours, may be written over.

    Raises:
        DataError: The folder is somebody else's.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        ours = json.loads((out / REPORT).read_text(encoding="utf-8")).get("format", "").startswith("dialogue-cube")
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise DataError(f"{out} exists and was not made by `dialogue-cube build`; name another folder for --out")


@contextmanager
def written_aside(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` that takes its place at the end, or vanishes when anything fails."""
    out = out.resolve()
    aside = out.parent / f".{out.name}.building"
    shutil.rmtree(aside, ignore_errors=True)  # left by a run that was killed
    aside.mkdir(parents=True)
    try:
        yield aside
        if out.exists():
            old = out.parent / f".{out.name}.replaced"
            shutil.rmtree(old, ignore_errors=True)
            out.rename(old)
            aside.rename(out)
            shutil.rmtree(old)
        else:
            aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
