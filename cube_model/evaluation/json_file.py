"""Figures as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError


def write_json(path: Path, output: dict[str, Any]) -> None:
    """Write aside and rename, so that a reader never sees half a file."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_text(json.dumps(output, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error
