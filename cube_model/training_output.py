"""The folder that a run writes: refused early when it must not be replaced, written aside and renamed at the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model._quiet import quiet_transformers
from cube_model.disk import needs_room
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.modeling_cube import CubeModel

RECORD = "training.json"
"""Written into every output folder; by it a folder is known as ours."""


def working_folder(output: Path) -> Path:
    """Where checkpoints and logs of a run lie until it is done."""
    return output.parent / f".{output.name}.training"


def check_output(output: Path, *, overwrite: bool, resume: bool, interrupted: bool) -> None:
    """Refuse what must not be replaced, before any time is spent.

    Args:
        output: Folder to make.
        overwrite: Replace an earlier core, discard an interrupted run.
        resume: Go on with an interrupted run.
        interrupted: There are checkpoints of an earlier run.

    Raises:
        ModelError: It says which option to pass.
    """
    if output.exists():
        ours = (output / RECORD).is_file() and (output / "config.json").is_file()
        empty = output.is_dir() and not any(output.iterdir())
        if not ours and not empty:
            raise ModelError(f"{output}: exists and was not made by training; choose another --output")
        if ours and not overwrite:
            raise ModelError(f"{output}: exists; pass --overwrite to replace it or choose another --output")
    if resume and overwrite:
        raise ModelError("--resume and --overwrite exclude each other")
    if interrupted and not resume and not overwrite:
        raise ModelError(
            f"{working_folder(output)}: an interrupted run; pass --resume to go on with it or --overwrite to start "
            "again"
        )


def make_working_folder(output: Path, *, discard: bool) -> None:
    """Make the working folder, of an earlier run when not to `discard` it."""
    work = working_folder(output)
    try:
        if discard:
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{work}: cannot be written ({error.strerror}); choose another --output") from error


def write_output(output: Path, model: CubeModel, record: dict[str, Any]) -> None:
    """Write model, record and logs aside, then rename: the output is whole or not there.

    Raises:
        ModelError: The disk is full.
    """
    work = working_folder(output)
    aside = work / "output"
    shutil.rmtree(aside, ignore_errors=True)
    with quiet_transformers(), needs_room(output, "go on with --resume"):
        model.save_pretrained(aside)
        (aside / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if (work / "runs").is_dir():
        shutil.move(work / "runs", aside / "runs")
    if output.exists():
        replaced = work / "replaced"
        shutil.rmtree(replaced, ignore_errors=True)
        output.rename(replaced)
    aside.rename(output)
    shutil.rmtree(work, ignore_errors=True)
