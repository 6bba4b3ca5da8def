"""The folder of a trained core, and nothing else that may lie in it.

config.json          with `auto_map`, which names the code files
model.safetensors    the weights, or shards of them with their index
*_cube.py            the code files, so that the model loads without this project
training.json        how it was trained; left out of the upload where there is none
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from push_scripts.errors import PushError

CONFIG, TRAINING, WEIGHTS_INDEX = "config.json", "training.json", "model.safetensors.index.json"
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
OWNED = re.compile(rf"{WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|\w+_cube\.py|{TRAINING}")
"""Files of an earlier push that a new one replaces or deletes."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Formats that can run code when they are loaded."""


@dataclass(frozen=True)
class ModelFolder:
    """A model folder that was checked.

    Attributes:
        config: Content of `config.json`.
        training: Content of `training.json`, local paths cut to their last part; empty where there is none.
        parameters: Numbers in the weights.
        files: Name -> file, of everything that is uploaded as it is.
    """

    config: dict[str, Any]
    training: dict[str, Any]
    parameters: int
    files: dict[str, Path]


def read_model_folder(folder: Path) -> ModelFolder:
    """Checks that a folder holds a whole, safe model that a stranger can load.

    Checkpoints, optimizer states and logs below it are simply not part of it.

    Raises:
        PushError: It does not; says what was expected and which command makes it.
    """
    makes = f"expected a folder made by `accelerate launch -m cube_model.train --output {folder}`"
    if not folder.is_dir():
        raise PushError(f"--model {folder}: no such folder; {makes}")
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise PushError(
            f"--model {folder}: {', '.join(pickles)} can run code when loaded and is never pushed; "
            "save with `save_pretrained`, which writes safetensors, and remove it"
        )
    config = _read_json(folder / CONFIG, makes)
    training = _without_paths(_read_json(folder / TRAINING, makes)) if (folder / TRAINING).exists() else {}
    weights = sorted(path for path in folder.iterdir() if WEIGHTS.fullmatch(path.name))
    if not weights:
        raise PushError(f"--model {folder}: no model.safetensors; {makes}")
    files = {path.name: path for path in [folder / CONFIG, *weights, *_code(folder, config, makes)]}
    if len(weights) > 1 or weights[0].name != "model.safetensors":
        _check_index(folder / WEIGHTS_INDEX, {path.name for path in weights}, makes)
        files[WEIGHTS_INDEX] = folder / WEIGHTS_INDEX
    return ModelFolder(config, training, sum(_count_parameters(path) for path in weights), files)


def _without_paths(record: dict[str, Any]) -> dict[str, Any]:
    """Where the files lay on this machine is nobody's business: `/home/ann/corpus` becomes `corpus`."""
    arguments = record.get("arguments")
    if isinstance(arguments, dict):
        record = record | {"arguments": {key: _last_part(value) for key, value in arguments.items()}}
    return record


def _last_part(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = re.split(r"[/\\]", value.rstrip("/\\"))
    # `name` and `org/name` stay, unless a folder of that name is here
    local = len(parts) > 2 or parts[0] in ("", ".", "..", "~") or parts[0].endswith(":") or Path(value).exists()
    return parts[-1] if local else value


def _read_json(path: Path, makes: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PushError(f"--model {path.parent}: not a saved model, {path.name} is missing; {makes}") from error
    except ValueError as error:
        raise PushError(f"{path} is damaged ({error}); {makes}") from error
    if not isinstance(content, dict):
        raise PushError(f"{path} is damaged (no JSON object); {makes}")
    return content


def _code(folder: Path, config: dict[str, Any], makes: str) -> list[Path]:
    """The code files that `auto_map` names: `{"AutoModel": "modeling_cube.CubeModel"}`."""
    named = config.get("auto_map") or {}
    if not {"AutoConfig", "AutoModel"} <= named.keys():
        raise PushError(f"{folder / CONFIG}: no `auto_map`, strangers could not load the model; {makes}")
    files = sorted({folder / f"{str(where).rpartition('.')[0]}.py" for where in named.values()})
    for path in files:
        if not re.fullmatch(r"\w+\.py", path.name) or not path.is_file():
            raise PushError(f"--model {folder}: code file {path.name}, named by `auto_map`, is missing; {makes}")
    return files


def _check_index(index: Path, there: set[str], makes: str) -> None:
    named = set(_read_json(index, makes).get("weight_map", {}).values())
    if named != there:
        raise PushError(f"{index}: names other shards than there are ({', '.join(sorted(named ^ there))}); {makes}")


def _count_parameters(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as weights:
            return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise PushError(
            f"{path} is no safetensors file ({error}); train again, or save with `save_pretrained`"
        ) from error
