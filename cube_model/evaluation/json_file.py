"""Figures as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.outputs import file_kind, output_file

_JSON_FILE = file_kind("JSON", b"{", error=ModelError)


def write_json(path: Path, output: dict[str, Any]) -> None:
    """Write the file so that it is whole or not there.

    Raises:
        ModelError: Something that is not JSON is there, or it cannot be written.
    """
    try:
        with output_file(path, _JSON_FILE) as file:
            file.write_text(json.dumps(output, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error
