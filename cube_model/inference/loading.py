"""Load a trained core and its teacher, and compute the fingerprint of a core."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError
from cube_model.teacher.quiet import quiet_transformers
from cube_model.teacher.recorded import check_recorded, load_recorded
from cube_model.teacher.teacher import Teacher
from dataset_builders.common.integrity import xxh3
from dataset_builders.common.locations import A_CORE, is_folder
from dataset_builders.common.patience import explain_fault, read_hub
from dataset_builders.common.reading import misfit, read_json

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

_METADATA = {"_name_or_path", "architectures", "auto_map", "dtype", "teacher", "training", "transformers_version"}
"""Config entries of a core that do not affect its output."""

_RECORDED = {
    "teacher": {
        **{"name!": str, "dtype!": str, "fingerprint": str, "repo": str, "revision": str, "dimension": int},
        **{"pooling": str, "prefix": str, "normalize": bool, "max_length": int},
    },
    "training": dict,
}
"""Form of what a training records in `config.json`."""


def load_core(model: str | os.PathLike[str], revision: str | None = None) -> CubeModel:
    """Load a trained core.

    Args:
        model: Folder or Hub repository.
        revision: Branch, tag or commit of the repository.

    Raises:
        ModelError: The folder or repository does not exist, or is not a trained core.
    """
    from transformers import AutoConfig

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.modeling_cube import CubeModel

    def load() -> Any:
        config = AutoConfig.from_pretrained(model, revision=revision or "main", trust_remote_code=False)
        if not isinstance(config, CubeConfig):
            raise ModelError(f"{model}: a {config.model_type} model, not a cube core; train one with cube_model.train")
        # Any: with output_loading_info this returns a pair, contrary to its annotation
        return CubeModel.from_pretrained(
            model, revision=revision or "main", config=config, output_loading_info=True, ignore_mismatched_sizes=True
        )

    in_folder = is_folder(model, A_CORE, error=ModelError)
    try:
        with quiet_transformers():
            loaded = load() if in_folder else read_hub(load)
    except ModelError:
        raise
    except Exception as error:  # transformers and the Hub raise a dozen types for a model that is missing or unreadable
        if not in_folder and (fault := explain_fault(error, str(model))):
            raise ModelError(f"cannot load the core {model}: {fault}") from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"{model}: not a trained core ({lines[0][:200]}); pass the output of a training") from error
    core, report = loaded
    if wrong := misfit(core.config.to_dict(), _RECORDED):
        raise ModelError(f"{model}: config.json is damaged ({wrong}); train the core again")
    # transformers would initialise missing weights at random and ignore unexpected ones
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    keys = sorted({entry if isinstance(entry, str) else str(entry[0]) for kind in kinds for entry in report[kind]})
    if keys:
        raise ModelError(f"{model}: weights do not fit the model ({', '.join(keys)[:200]}); train it again")
    if in_folder:
        check_core(Path(model).expanduser())
    return core.eval()


def check_core(folder: Path) -> None:
    """Check the weights of a core against the digest of its `training.json`; without one, nothing is checked.

    Raises:
        ModelError: They, or what `config.json` says about their use, are not those of the training.
    """
    recorded = training_record(folder).get("digest")
    if recorded is not None and recorded != digest_of_core(folder):
        raise ModelError(
            f"{folder}: weights or config.json are damaged, or were changed since the training; train or copy the core "
            "again. If you changed them on purpose, delete `digest` in training.json"
        )


def digest_of_core(folder: Path) -> str:
    """Compute a digest of the weights in a folder, and of what `config.json` says about how they are used.

    Unlike `core_fingerprint`, it is the same with every version of transformers: it is of the files.
    """
    from xxhash import xxh3_128

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    facts = {key: value for key, value in config.items() if key not in _METADATA}
    digest = xxh3_128(json.dumps(facts, sort_keys=True).encode())
    for file in sorted(folder.glob("model*.safetensors")):
        digest.update(xxh3(file).encode())
    return str(digest.hexdigest())


def training_record(model: str | os.PathLike[str], revision: str | None = None) -> dict[str, Any]:
    """Return the `training.json` of a core; empty if there is none.

    Args:
        model: Folder or Hub repository.
        revision: Branch, tag or commit of the repository.

    Raises:
        ModelError: The record is damaged.
    """
    from transformers.utils import cached_file

    missing = dict.fromkeys(("_raise_exceptions_for_missing_entries", "_raise_exceptions_for_connection_errors"), False)
    path = cached_file(str(model), "training.json", revision=revision or "main", **missing)
    return {} if path is None else read_json(Path(path), "train the core again", error=ModelError)


def teacher_of(model: CubeModel, teacher: str | None = None, device: str | None = None) -> Teacher:
    """Load the teacher that a core was trained with.

    Args:
        model: Trained core.
        teacher: Name, folder or Hub repository of the teacher; of the recorded repository, the recorded revision.
            Default: the recorded name, unless it would be downloaded from a repository that only the core names. Of
            short names, this package pins the commit, not the core.
        device: Torch device. Default: the first accelerator, else the CPU.

    Raises:
        ModelError: The core records no teacher; the teacher is unavailable, has another fingerprint, or would be
            downloaded unasked.
    """
    recorded = model.config.teacher
    if not recorded:
        raise ModelError("the core does not record its teacher; train it again with cube_model.train")
    return load_recorded(recorded, teacher, device)


def check_teacher(model: CubeModel, teacher: Teacher) -> None:
    """Check that a core was trained with a teacher.

    Args:
        model: Trained core.
        teacher: Teacher to check.

    Raises:
        ModelError: The fingerprint (weights, tokenizer, pooling, prefix, dtype, ...) differs from the recorded one.
    """
    check_recorded(model.config.teacher or {}, teacher)


def core_fingerprint(model: CubeModel) -> str:
    """Compute the SHA-256 of weights and config: equal for cores that map every embedding alike."""
    import torch

    facts = {key: value for key, value in model.config.to_dict().items() if key not in _METADATA}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{weight.dtype}\0{list(weight.shape)}\0".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
