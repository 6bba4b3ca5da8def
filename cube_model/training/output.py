"""Output folder of a training, a core or an encoder: claimed at the start, moved into place when complete."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.card.card import ModelFacts, model_card
from cube_model.errors import ModelError
from cube_model.inference.loading import digest_of_core
from cube_model.teacher.quiet import quiet_transformers
from cube_model.teacher.sentence_files import SENTENCE_TRANSFORMERS_FILES, TRANSFORMERS_FILES
from cube_model.teacher.trained_files import digests_of
from cube_model.training.checkpoints import checkpoints, older_checkpoints
from dataset_builders.common.files import needs_room
from dataset_builders.common.options import Options
from dataset_builders.common.outputs import Output, OutputKind
from dataset_builders.common.seals import sealed

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

RECORD = "training.json"
"""File in every output folder, which marks it as ours."""


def is_trained(folder: Path) -> bool:
    """Return whether a training wrote a folder."""
    files = {name: (folder / name).is_file() for name in (RECORD, "config.json", "tokenizer.json")}
    return files[RECORD] and (files["config.json"] or files["tokenizer.json"])  # a static encoder has no config.json


TRAINED = OutputKind(
    "training",
    "--output",
    is_trained,
    (
        *TRANSFORMERS_FILES,
        *SENTENCE_TRANSFORMERS_FILES,
        *(RECORD, "README.md", "configuration_cube.py", "modeling_cube.py", "sentence_cube.py", "pipeline_cube.py"),
        *("text_cube.py", "teacher_cube.py", "static_cube.py", "turns_cube.py", "pooling.py", "handler.py"),
        *("sentence_turns.py", "modeling_turns.py", "configuration_turns.py", "composers.py"),
        *("requirements.txt", "runs/**/events.out.tfevents.*", "runs/**/hparams.yml", ".aim/**", "mlruns/**"),
    ),
    error=ModelError,
    suffix="training",
    keeps_work=True,
)
"""What a training may replace. The working folder keeps checkpoints and logs until the training is done."""


def check_output(output: Output, *, resume: bool, interrupted: bool) -> None:
    """Refuse, before any time is spent, to replace what must stay; every process calls it.

    Args:
        output: Output folder.
        resume: Whether an interrupted training is resumed.
        interrupted: Whether there are checkpoints of an earlier training.

    Raises:
        ModelError: The output or the checkpoints must stay; the message names the option to pass. Or another training
            writes the output; the message names its process.
    """
    output.check()
    if older_checkpoints(output.work) and (resume or not output.overwrite):
        raise ModelError(
            f"{output.work}: checkpoints of version 0.1.0, which this version cannot resume; pass --overwrite to start "
            "again, or finish the training with version 0.1.0"
        )
    if interrupted and not resume and not output.overwrite:
        # the first process, whose message is printed, looks first whether the training of the checkpoints still runs
        with output.claimed() if os.environ.get("RANK", "0") == "0" else nullcontext():
            raise ModelError(
                f"{output.work}: an interrupted run; pass --resume to continue it or --overwrite to start again"
            )


@contextmanager
def claimed_output(output: Output | None, *, resume: bool) -> Iterator[None]:
    """Keep other trainings away from the output inside the block; only the first process has an output to claim.

    If the block fails before the first checkpoint, nothing stays beside the output.

    Args:
        output: Output folder. None: claim nothing.
        resume: Keep the checkpoints of an interrupted training.

    Raises:
        ModelError: Another training writes the folder, or it cannot be written.
    """
    if output is None:
        yield
        return
    with output.claimed():
        if output.overwrite and not resume:
            output.discard_work()
        try:
            yield
        except BaseException:
            if not checkpoints(output.work):  # nothing to resume
                output.discard_work()
            raise


def write_output(output: Output, model: CubeModel, record: dict[str, Any]) -> None:
    """Write model, record, card and logs, and move them into place.

    Args:
        output: Claimed output folder.
        model: Trained model.
        record: Content of `training.json`, to which digests are added.

    Raises:
        ModelError: The disk is full, or files of others appeared in the folder.
    """
    with quiet_transformers(), needs_room(output.place, "continue with --resume", ModelError):
        model.save_pretrained(output.new)
        if "base" in record:  # an encoder
            record["files"] = digests_of(output.new)
        else:
            record["digest"] = digest_of_core(output.new)
        (output.new / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        card = model_card(_facts(output.new, record), output.place.name)
        (output.new / "README.md").write_text(sealed(card), encoding="utf-8")
    if (output.work / "runs").is_dir():
        shutil.move(output.work / "runs", output.new / "runs")
    output.put()
    output.discard_work()


def _facts(folder: Path, record: dict[str, Any]) -> ModelFacts:
    path = folder / "config.json"
    return ModelFacts(
        kind="embedder" if "base" in record else "core",
        config=json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {},
        training=record,
        parameters=record.get("parameters") or record["base"]["parameters"],
        size=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        reads_text=(folder / "modules.json").is_file(),
    )


def recorded_arguments(config: Options, **names: str | None) -> dict[str, Any]:
    """Return the arguments of a training as `training.json` records them: without paths of this machine.

    Args:
        config: Configuration of the training.
        names: What is recorded in place of a folder or repository, by argument.
    """
    left_out = ("output", "cache_dir")
    arguments = {key: value for key, value in dataclasses.asdict(config).items() if key not in left_out}  # type: ignore[call-overload]
    return arguments | names
