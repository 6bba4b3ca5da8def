"""Folders of exports: which ones may be replaced, and what every export does first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cube_model.errors import ModelError
from cube_model.teacher.sentence_files import SENTENCE_TRANSFORMERS_FILES, TRANSFORMERS_FILES
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output, OutputKind

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

CORE_FOLDER = "1_CubeSides"
"""Folder of the core in an export for sentence-transformers."""

CODE = ("sentence_transformer_module", "turns_cube", "pooling", "modeling_cube", "configuration_cube")
"""Modules of `cube_model.core` to copy for sentence-transformers; they import only libraries and each other."""

GRAPH_RECORD = "export.json"
"""Record of an exported graph."""

EXPORT = OutputKind(
    "`dialogue-cube export`",
    "--output",
    lambda folder: (folder / CORE_FOLDER).is_dir() or (folder / GRAPH_RECORD).is_file(),
    (
        *TRANSFORMERS_FILES,
        *SENTENCE_TRANSFORMERS_FILES,
        *("README.md", "training.json", f"{CORE_FOLDER}/pooling.json", *(f"{module}.py" for module in CODE)),
        *(GRAPH_RECORD, "model.onnx", "model.onnx.data", "model.xml", "model.bin", "model.pt"),
    ),
    error=ModelError,
)
"""Existing folders that an export may replace."""


@contextmanager
def exporting(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    teacher: str | None,
    overwrite: bool,
    revision: str | None,
) -> Iterator[tuple[Path, CubeModel, Teacher]]:
    """Claim the folder of an export, load core and teacher, and put the folder into place when it is written.

    Yields:
        Empty folder to write, the core, and its teacher on the processor.

    Raises:
        ModelError: Core or teacher is unavailable, the core is an autoencoder, or the folder must not be replaced or
            cannot be written.
    """
    from cube_model.inference.loading import load_core, teacher_of

    target = Output(output, EXPORT, overwrite=overwrite)
    try:
        with target.claimed(), needs_room(target.place, "export again", ModelError):
            core = load_core(model, revision)
            if core.config.mode == "autoencoder":
                raise ModelError(f"{model}: an autoencoder does not map questions to answers; export a dialogue core")
            loaded = teacher_of(core, teacher, "cpu")
            target.new.mkdir()
            yield target.new, core, loaded
            target.put()
    except OSError as error:
        raise ModelError(f"{target.place}: cannot be written ({error.strerror or error})") from error
