"""Digests of the files of a trained encoder: whether they are still as its training wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.integrity import find_damage, xxh3

_RECORD = "training.json"


def digests_of(folder: Path) -> dict[str, str]:
    """Return the path below a folder and the digest of each file with weights or settings, for `training.json`."""
    files = sorted(path for kind in ("*.safetensors", "*.json") for path in folder.rglob(kind) if path.name != _RECORD)
    return {path.relative_to(folder).as_posix(): xxh3(path) for path in files}


def check_trained(folder: Path) -> None:
    """Check the files of an encoder against its `training.json`; without one, or an older one, nothing is checked.

    A flipped bit in the weights, or a damaged vocabulary, would give other vectors without an error.

    Args:
        folder: Folder of an encoder. Files that are not there are not missed: loading it does that.

    Raises:
        ModelError: A file is not as the training wrote it, or the record is damaged.
    """
    file = folder / _RECORD
    if not file.is_file():
        return
    advice = "train the encoder again, or copy it again"
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file}: damaged; {advice}") from error
    files = record.get("files") if isinstance(record, dict) else None
    if not isinstance(files, dict):
        return
    digests = {str(name): str(digest) for name, digest in files.items() if (folder / str(name)).is_file()}
    if damage := find_damage(folder, digests, xxh3):
        raise ModelError(
            f"{folder / damage[0]}: {damage[1]} since the training; {advice}. If you changed it on purpose, delete "
            f"`files` in {_RECORD}"
        )
