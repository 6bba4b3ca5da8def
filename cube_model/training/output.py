"""The folder that a training writes, a core or an encoder: claimed at the start, put in place when it is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model._quiet import quiet_transformers
from cube_model.errors import ModelError
from cube_model.teacher.sentence_files import SENTENCE_TRANSFORMERS_FILES, TRANSFORMERS_FILES
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output, OutputKind

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

RECORD = "training.json"
"""Lies in every output folder and marks it as ours."""


def is_trained(folder: Path) -> bool:
    """True for a folder that a training wrote."""
    return (folder / RECORD).is_file() and (folder / "config.json").is_file()


TRAINED = OutputKind(
    "training",
    "--output",
    is_trained,
    (
        *TRANSFORMERS_FILES,
        *SENTENCE_TRANSFORMERS_FILES,
        *(RECORD, "README.md", "configuration_cube.py", "modeling_cube.py", "runs/**"),
    ),
    error=ModelError,
    suffix="training",
    keeps_work=True,
)
"""What a training may replace. Its working folder keeps checkpoints and logs until it is done."""


def check_output(output: Output, *, resume: bool, interrupted: bool) -> None:
    """Refuse what must not be replaced, before any time is spent; every process calls it.

    Args:
        output: The folder to make.
        resume: Go on with an interrupted run.
        interrupted: There are checkpoints of an earlier run.

    Raises:
        ModelError: It says which option to pass.
    """
    output.check()
    if interrupted and not resume and not output.overwrite:
        raise ModelError(
            f"{output.work}: an interrupted run; pass --resume to go on with it or --overwrite to start again"
        )


@contextmanager
def claimed_output(output: Output | None, *, resume: bool) -> Iterator[None]:
    """Keep other trainings away from the output; the first process calls it, and holds it until all is written.

    Args:
        output: The folder to make. None: nothing.
        resume: Keep the checkpoints of an interrupted run.

    Raises:
        ModelError: Another training is writing it, or it cannot be written.
    """
    if output is None:
        yield
        return
    with output.claimed():
        if output.overwrite and not resume:
            output.discard_work()
        yield


def write_output(output: Output, model: CubeModel, record: dict[str, Any]) -> None:
    """Write model, record and logs, and let them take their place.

    Args:
        output: The claimed folder.
        model: What to save.
        record: For `training.json`.

    Raises:
        ModelError: The disk is full, or something foreign appeared in the place.
    """
    with quiet_transformers(), needs_room(output.place, "go on with --resume", ModelError):
        model.save_pretrained(output.new)
        (output.new / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if (output.work / "runs").is_dir():
        shutil.move(output.work / "runs", output.new / "runs")
    output.put()
    output.discard_work()
