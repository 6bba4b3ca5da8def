"""Read the report of a build, `quality/report.json`, and check the files of the folder against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.common.reading import read_json
from dataset_builders.folder.layout import REPORT

_COUNTS = {"*": int}
_SHAPE = {
    "format!": str,
    "version": str,
    "fingerprint": str,
    "options": dict,
    "sources": {"*": dict},
    "rows": {"*": {"*": {"in!": int, "out!": int, "dropped!": _COUNTS, "flagged!": _COUNTS}}},
    "leaks": {"*": {"*": {"*": _COUNTS}}},
    "duplicates": {"*": _COUNTS},
    "decisions": {"*": {"*": dict}},
    "files": {"*": str},
}


def load_report(folder: Path, advice: str, *, error: type[DialogueCubeError] = DataError) -> dict[str, Any]:
    """Read the report of a dataset folder.

    Args:
        folder: A dataset folder.
        advice: What to do if the report cannot be used, for the message.
        error: Type of the error.

    Returns:
        Content of the report, without nulls: an older or foreign report may lack tables.

    Raises:
        DialogueCubeError: The report is missing, damaged, or not that of a build.
    """
    report: dict[str, Any] = read_json(folder / REPORT, advice, _SHAPE, error=error)
    if not report["format"].startswith("dialogue-cube dataset"):
        raise error(f"{folder / REPORT}: not the report of `dialogue-cube build`; {advice}")
    return {name: value for name, value in report.items() if value is not None}
