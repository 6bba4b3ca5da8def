"""Checkpoints on disk: complete or absent, verified before they are read, and refused by a run with other arguments."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.files import synchronise, write_whole
from dataset_builders.common.integrity import xxh3

logger = logging.getLogger(__name__)

ARGUMENTS = "arguments.json"
"""File in a working folder: the arguments and data of the run that the checkpoints belong to."""

_PREFIX = "checkpoint-"
_DIGESTS = "digests.json"
_KEPT = 2
"""Number of checkpoints kept: if the last one is damaged, the training resumes from the one before."""


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first.

    Args:
        folder: Folder that `keep_checkpoint` fills; it need not exist.
    """
    steps = {path: path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*")}
    return sorted((path for path, step in steps.items() if step.isdigit()), key=lambda path: int(steps[path]))


def older_checkpoints(folder: Path) -> bool:
    """Return whether a folder holds checkpoints of version 0.1.0, `checkpoint-EPOCH-STEP`, which nothing reads.

    Args:
        folder: Working folder of a training; it need not exist.
    """
    return any(path.name.count("-") > 1 for path in folder.glob(f"{_PREFIX}*"))


def keep_checkpoint(written: Path, folder: Path) -> None:
    """Move a complete checkpoint into its folder, with a digest of each file, and remove all but the last two.

    Args:
        written: The checkpoint, `checkpoint-STEP`, on the same file system as `folder`.
        folder: Folder of the checkpoints.
    """
    digests = {path.relative_to(written).as_posix(): xxh3(path) for path in _files(written)}
    (written / _DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")
    synchronise(written)
    shutil.rmtree(folder / written.name, ignore_errors=True)
    written.rename(folder / written.name)
    synchronise(folder, below=False)
    for path in checkpoints(folder)[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest undamaged checkpoint; warn about damaged ones that are skipped.

    Args:
        folder: Folder of the checkpoints; it need not exist.

    Returns:
        Its folder; None if there are no checkpoints.

    Raises:
        ModelError: All checkpoints are damaged.
    """
    damage = None
    for path in reversed(checkpoints(folder)):
        damage = _damage(path)
        if damage is None:
            return path
        logger.warning("%s: ignoring this checkpoint", damage)
    if damage is not None:
        raise ModelError(f"{damage}, and no earlier checkpoint can be used: pass --overwrite to start again")
    return None


def write_arguments(folder: Path, arguments: dict[str, Any]) -> None:
    """Record what a run was started with, for `check_arguments`.

    Args:
        folder: Working folder of the run.
        arguments: JSON values by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / ARGUMENTS, json.dumps(arguments, indent=1))


def check_arguments(folder: Path, arguments: dict[str, Any]) -> None:
    """Refuse to resume a run with other arguments or data.

    Args:
        folder: Working folder of the interrupted run.
        arguments: JSON values by name, as for `write_arguments`.

    Raises:
        ModelError: A value differs, or the record is unreadable.
    """
    try:
        earlier = json.loads((folder / ARGUMENTS).read_text(encoding="utf-8"))
        now = json.loads(json.dumps(arguments))  # a tuple comes back as a list
        different = [(name, earlier.get(name), value) for name, value in now.items() if value != earlier.get(name)]
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{folder / ARGUMENTS}: cannot be read; pass --overwrite to start again") from error
    for name, before, value in different:
        raise ModelError(
            f"cannot resume {folder}: {name.replace('_', '-')} was {before}, now {value}; use the same or pass "
            "--overwrite to start again"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _DIGESTS)


def _damage(checkpoint: Path) -> str | None:
    """Say which file of a checkpoint is not as it was written; None if all are."""
    try:
        digests = dict(json.loads((checkpoint / _DIGESTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return f"{checkpoint / _DIGESTS}: missing or damaged"
    for name, digest in digests.items():
        path = checkpoint / name
        try:
            if xxh3(path) != digest:
                return f"{path}: damaged"
        except OSError as error:
            return f"{path}: cannot be read ({error.strerror})"
    return None
