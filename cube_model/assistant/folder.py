"""The folder of an assistant, which is also its Hub repository.

A/manifest.json                    format, version, encoder, segments, options, versions, digests of the files
A/segments/...                     questions with their answers, and the vectors of the questions; see `store`
A/encoder/                         files of the encoder: config.json, model.safetensors, tokenizer.json, ...
A/core/                            config.json and model.safetensors of a core, if there is one
A/intents/                         a head of intents, if there is one
A/calibration.json                 probabilities, threshold, figures, the curve of coverage and risk; calibration-N.json
                                   after `assistant calibrate` at version N
A/topics.safetensors               names and centres of the topics
A/README.md                        the card
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.assistant.calibration import Calibration
from cube_model.assistant.store import MANIFEST, is_assistant
from cube_model.errors import ModelError
from cube_model.teacher.sentence_files import TRANSFORMERS_FILES
from cube_model.training.output import TRAINED
from dataset_builders.common.integrity import find_damage, xxh3
from dataset_builders.common.locations import is_folder
from dataset_builders.common.outputs import OutputKind
from dataset_builders.common.patience import explain_fault, read_hub
from dataset_builders.common.reading import read_json

if TYPE_CHECKING:
    from cube_model.assistant.config import AssistantConfig
    from cube_model.assistant.encoding import Encoding
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

ENCODER, CORE, INTENTS, CARD = "encoder", "core", "intents", "README.md"

_NAMES = (
    *TRANSFORMERS_FILES,
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "*.model"),
    *("intents.json", "intents.safetensors"),
)
"""Files of an encoder and of intents; others beside them are not copied, such as chats that it was tried on."""

ASSISTANT = OutputKind(
    "`dialogue-cube assistant build`",
    "--out",
    is_assistant,
    (
        *(MANIFEST, "calibration.json", "calibration-[0-9]*.json", "topics.safetensors", CARD, ".lock"),
        ".*.part",  # of a writer that was killed
        *(f"{part}/**/{name}" for part in (ENCODER, CORE, INTENTS) for name in _NAMES),
        *(f"{CORE}/{name}" for name in TRAINED.files),
        *("segments/*/*.parquet", "segments/*/*.safetensors", "segments/*/removed.json"),
    ),
    error=ModelError,
)
"""Existing folders that an assistant may replace."""

_SETTINGS = ("pooling", "prefix", "normalize", "max_length")

_AN_ASSISTANT = "pass a folder made by `dialogue-cube assistant build`, or a Hub repository such as org/name"

_MODULE = re.compile(r"\.|\d+_\w+|encoder")
"""Folders of an encoder with weights and settings; that of an encoder of turns is `encoder`."""

_PATTERNS = ["manifest.json", "*.json", "*.safetensors", CARD, "segments/*", "encoder/*", "core/*", "intents/*"]


def is_part(path: Path) -> bool:
    """Return whether a path below an assistant is that of a file of its encoder, core or intents.

    >>> is_part(Path("encoder/model.safetensors")), is_part(Path("encoder/pytorch_model.bin"))
    (True, False)
    """
    part, *rest = path.parts
    folder = "/".join(rest[:-1]) or "."
    return (
        part in (ENCODER, CORE, INTENTS)
        and bool(_MODULE.fullmatch(folder))
        and any(fnmatchcase(path.name, name) for name in _NAMES)
    )


def find_assistant(model: str | os.PathLike[str], revision: str | None = None) -> Path:
    """Return the folder of an assistant; one on the Hub is downloaded, without any code.

    Args:
        model: Folder or Hub repository.
        revision: Branch, tag or commit of the repository.

    Raises:
        ModelError: There is no such folder or repository.
    """
    if is_folder(model, _AN_ASSISTANT, what="assistant", error=ModelError):
        return Path(model).expanduser().resolve()
    from huggingface_hub import snapshot_download

    try:
        download = partial(snapshot_download, str(model), revision=revision, allow_patterns=_PATTERNS)
        return Path(read_hub(download))
    except Exception as error:  # unknown, offline, no network, no permission: a dozen exception types
        if fault := explain_fault(error, str(model)):
            raise ModelError(f"assistant {model}: {fault}") from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"assistant {model}: cannot be downloaded ({lines[0][:200]}); {_AN_ASSISTANT}") from error


def copy_encoder(name: str, teacher: Teacher, folder: Path) -> dict[str, Any]:
    """Copy the files of an encoder, so that strangers load it without a name that only this machine knows.

    Args:
        name: Short name, folder or Hub repository of the encoder.
        teacher: The same, loaded.
        folder: Folder of the assistant.

    Returns:
        What `load_encoder` needs.

    Raises:
        ModelError: The encoder has no safetensors, or its copy gives other vectors.
    """
    from cube_model.teacher.find import find_teacher

    source, target = find_teacher(name, teacher.revision).folder, folder / ENCODER
    for path in sorted(source.rglob("*")):
        below = path.relative_to(source)
        if path.is_file() and is_part(Path(ENCODER) / below):
            (target / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / below)
    if not list(target.rglob("*.safetensors")):
        raise ModelError(
            f"encoder {name}: no weights as safetensors, the only form that an assistant keeps; save it again"
        )
    return teacher.describe()


def load_encoder(
    folder: Path, recorded: dict[str, Any], device: str | None = None, dtype: str | None = None
) -> Teacher:
    """Load the encoder of an assistant.

    Args:
        folder: Folder of the assistant.
        recorded: What `copy_encoder` returned.
        device: Torch device. Default: the first accelerator, else the processor.
        dtype: Precision; see `Teacher.load`. Default: that of the build.

    Raises:
        ModelError: It is damaged, or gives other vectors than when the assistant was built.
    """
    from cube_model.teacher.fingerprint import setting_differences
    from cube_model.teacher.teacher import Teacher

    settings: dict[str, Any] = {name: recorded.get(name) for name in _SETTINGS}
    try:
        teacher = Teacher.load(str(folder / ENCODER), dtype or str(recorded.get("dtype")), device, **settings)
    except ModelError as error:
        raise ModelError(f"{error} (the encoder of the assistant {folder}); build the assistant again") from error
    if teacher.fingerprint_in(str(recorded.get("dtype"))) != recorded.get("fingerprint"):
        raise ModelError(
            f"{folder / ENCODER}: damaged or changed, its vectors are not those of the assistant's questions"
            f"{setting_differences(recorded, teacher.describe())}; build the assistant again"
        )
    teacher.name = str(recorded.get("name"))
    return teacher


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check that the files are as they were written; segments, encoder and core are checked when they are read.

    Raises:
        ModelError: One is damaged, changed or missing.
    """
    if damage := find_damage(folder, manifest.get("files") or {}, xxh3):
        raise ModelError(
            f"{folder / damage[0]}: {damage[1]} since the assistant was built; build it again with "
            "`dialogue-cube assistant build`"
        )


def read_calibration(folder: Path, calibrated: Mapping[str, Any]) -> Calibration:
    """Read a calibration.

    Args:
        folder: Folder of the assistant.
        calibrated: That of its manifest; see `store`.

    Raises:
        ModelError: It is missing, damaged, or of another version of this package.
    """
    file = folder / Path(str(calibrated["file"])).name
    advice = "build it again with `dialogue-cube assistant build`"
    return Calibration.from_json(read_json(file, advice, error=ModelError), file)


def load_encoding(
    folder: Path, manifest: dict[str, Any], device: str | None = None, dtype: str | None = None
) -> Encoding:
    """Load what encodes the questions and answers of an assistant.

    Args:
        folder: Folder of the assistant.
        manifest: Its manifest.
        device: See `load_encoder`.
        dtype: See `load_encoder`.

    Raises:
        ModelError: See `load_encoder`; or the core is damaged.
    """
    from cube_model.assistant.encoding import Encoding
    from cube_model.inference.loading import core_fingerprint, load_core

    teacher = load_encoder(folder, manifest["encoder"], device, dtype)
    core = None
    if recorded := manifest.get("core"):
        core = load_core(folder / CORE)
        if core_fingerprint(core) != recorded.get("fingerprint"):
            raise ModelError(f"{folder / CORE}: damaged or changed; build the assistant again")
    joined = manifest["encoder"].get("joined_turns", 0)
    return Encoding(teacher, lambda texts: teacher.encode(texts), joined if isinstance(joined, int) else 0, core)


def copy_core(core: CubeModel, folder: Path) -> dict[str, Any]:
    """Write a core into an assistant; returns what `load_encoding` verifies."""
    from cube_model.inference.loading import core_fingerprint

    core.save_pretrained(folder / CORE)
    return {"fingerprint": core_fingerprint(core), "context_turns": core.config.context_turns}


def copy_intents(intents: str, teacher: Teacher, folder: Path) -> list[str]:
    """Copy a head of intents that was trained on the encoder.

    Args:
        intents: Folder written by `dialogue-cube train-intents`.
        teacher: The encoder of the assistant.
        folder: Folder of the assistant.

    Returns:
        The labels.

    Raises:
        ModelError: It is no such folder, or was trained on another encoder.
    """
    from cube_model.intents.head import IntentHead

    head = IntentHead.load(intents)
    head.check_encoder(teacher)
    (folder / INTENTS).mkdir()
    head.write(folder / INTENTS)
    return list(head.labels)


def restricted_parts(config: AssistantConfig, source: Path) -> dict[str, str]:
    """Return the parts of an assistant that were trained on data that may not be redistributed.

    Args:
        config: Options of the build.
        source: Folder of the encoder.

    Returns:
        Part and source -> licences; intents are always the user's own labels.
    """
    from cube_model.card.licenses import restricted_data
    from cube_model.inference.loading import training_record

    parts: dict[str, str] = {}
    for what, place in (("encoder", str(source)), ("core", config.core)):
        if place is not None and (what == "core" or (source / "training.json").is_file()):
            record = training_record(place).get("data") or {}
            parts |= {f"{what}: {name}": terms for name, terms in restricted_data(record).items()}
    if config.intents is not None:
        parts["intents"] = "your own labels"
    return parts
