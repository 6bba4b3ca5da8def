"""A trained core from its folder or Hub repository, the teacher that belongs to it, and what tells it from another."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model._quiet import quiet_transformers
from cube_model.errors import ModelError
from cube_model.teacher.teacher import Teacher

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

_NOTES = {"_name_or_path", "architectures", "auto_map", "dtype", "teacher", "training", "transformers_version"}
"""Entries of a core's configuration that change none of its vectors."""

_NAMES = {"name", "fallback_from", "fingerprint", "weights_sha256"}
"""What a core records of its teacher beside the settings that are worth naming in an error."""


def load_core(model: str | os.PathLike[str], revision: str | None = None) -> CubeModel:
    """A trained core of a folder or Hub repository.

    Raises:
        ModelError: There is none, or it is another kind of model.
    """
    from transformers import AutoConfig

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.modeling_cube import CubeModel

    if not Path(model).is_dir() and str(model).count("/") != 1:
        raise ModelError(f"{model}: no such folder; give one that training wrote, or a Hub repository like org/name")
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(model, revision=revision or "main")
            if not isinstance(config, CubeConfig):
                raise ModelError(
                    f"{model}: a {config.model_type} model, not a cube core; make one with cube_model.train"
                )
            # with the report it gives a pair, which its annotation does not know; other shapes come into the report
            loaded: Any = CubeModel.from_pretrained(
                model,
                revision=revision or "main",
                config=config,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except ModelError:
        raise
    except Exception as error:  # transformers and the Hub raise a dozen types for "not there" and "not readable"
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{model}: not a trained core ({lines[0][:200]}); give a folder that training wrote"
        ) from error
    core, report = loaded
    # transformers fills what is missing with fresh numbers and drops what it does not know: it would only look trained
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    wrong = sorted({entry if isinstance(entry, str) else str(entry[0]) for kind in kinds for entry in report[kind]})
    if wrong:
        raise ModelError(f"{model}: weights do not fit the model ({', '.join(wrong)[:200]}); train it again")
    return core.eval()


def teacher_of(model: CubeModel, teacher: str | None = None, device: str | None = None) -> Teacher:
    """The teacher that a core was trained with.

    Args:
        model: The core.
        teacher: Where to find it, when the recorded name does not lead there on this machine.
        device: Torch device.

    Raises:
        ModelError: It cannot be found, or its vectors would not be those that the core was trained on.
    """
    recorded = model.config.teacher
    if not recorded:
        raise ModelError("the core does not say which teacher it was trained with; train it with cube_model.train")
    try:
        found = Teacher.load(
            teacher or recorded["name"],
            recorded["dtype"],
            device,
            **{option: recorded.get(option) for option in ("pooling", "prefix", "normalize", "max_length")},
        )
    except ModelError as error:
        raise ModelError(f"{error} (the core was trained with it; --teacher names another place to find it)") from error
    check_teacher(model, found)
    return found


def check_teacher(model: CubeModel, teacher: Teacher) -> None:
    """Refuse a teacher whose vectors are not those that the core was trained on.

    Raises:
        ModelError: Its fingerprint (weights, tokenizer, pooling, prefix, dtype, ...) is not the recorded one.
    """
    recorded = model.config.teacher or {}
    if teacher.fingerprint == recorded.get("fingerprint"):
        return
    found = teacher.describe()
    settings = [key for key in recorded if key in found and key not in _NAMES and recorded[key] != found[key]]
    differences = "; ".join(f"{key} {found[key]!r} in place of {recorded[key]!r}" for key in settings)
    raise ModelError(
        f"teacher {teacher.name} (fingerprint {teacher.fingerprint[:12]}) is not the one the core was trained with: "
        f"{recorded.get('name')} (fingerprint {str(recorded.get('fingerprint'))[:12]}); pass that one with --teacher"
        + (f" ({differences})" if differences else "")
    )


def core_fingerprint(model: CubeModel) -> str:
    """sha256 over weights and shape: equal for cores that map every vector alike."""
    import torch

    facts = {key: value for key, value in model.config.to_dict().items() if key not in _NOTES}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{weight.dtype}\0{list(weight.shape)}\0".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
