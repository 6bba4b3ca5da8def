"""The folder of a trained model, and nothing else that may lie in it.

A core                   config.json with `auto_map`, model.safetensors (or shards and their index), the code files that
                         `auto_map` names, training.json
An embedder, an export   what modules.json names: an encoder with its tokenizer, a folder a module; an export's code
                         files; training.json where there is one
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from push_scripts.errors import PushError

CONFIG, TRAINING, MODULES, WEIGHTS_INDEX = (
    "config.json",
    "training.json",
    "modules.json",
    "model.safetensors.index.json",
)
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
OWNED = re.compile(
    rf"({WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|{MODULES}|\w+_cube\.py|{TRAINING}|\d+_\w+/.+|index/.+|\.eval_results/.+)"
)
"""Files of an earlier push that a new one replaces or deletes."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Formats that can run code when they are loaded."""

_TOKENIZER = re.compile(
    r"tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(txt|json)|merges\.txt|.+\.model|"
    r"chat_template\.jinja"
)
_ENCODER = re.compile(
    rf"{CONFIG}|{WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|{MODULES}|sentence_bert_config\.json|"
    rf"config_sentence_transformers\.json|{_TOKENIZER.pattern}"
)
_MODULE = re.compile(rf"{WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|\w+\.json|{_TOKENIZER.pattern}")


@dataclass(frozen=True)
class ModelFolder:
    """A model folder that was checked.

    Attributes:
        path: The folder.
        kind: A core; an embedder, which sentence-transformers opens as it is; or an export, a core with its teacher
            that sentence-transformers opens with the code beside it.
        config: Content of `config.json`; of an export, of its core's.
        training: Content of `training.json`, local paths cut to their last part; empty where there is none.
        parameters: Numbers in the weights; of an export, in its core's.
        files: Name -> file, of everything that is uploaded as it is.
    """

    path: Path
    kind: Literal["core", "embedder", "export"]
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
    makes = (
        f"expected a folder made by `accelerate launch -m cube_model.train --output {folder}` or `cube_model.embedder`"
    )
    if not folder.is_dir():
        raise PushError(f"--model {folder}: no such folder; {makes}")
    _refuse_pickles(folder)
    config = _read_json(folder / CONFIG, makes)
    training = _without_paths(_read_json(folder / TRAINING, makes)) if (folder / TRAINING).exists() else {}
    if (folder / MODULES).exists():
        return _sentence_transformer(folder, config, training, makes)
    files = {path.name: path for path in [folder / CONFIG, *_code(folder, config, makes)]}
    weights = _weights(folder, makes)
    return ModelFolder(folder, "core", config, training, _count(weights), files | weights)


def _sentence_transformer(folder: Path, config: dict[str, Any], training: dict[str, Any], makes: str) -> ModelFolder:
    try:
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        named = [(str(module["path"]), str(module["type"])) for module in modules]
    except (ValueError, KeyError, TypeError) as error:
        raise PushError(f"{folder / MODULES} is damaged ({error!r}); {makes}") from error
    files = {path.name: path for path in folder.iterdir() if path.is_file() and _ENCODER.fullmatch(path.name)}
    weights = _weights(folder, makes)
    for name, _ in named:
        if not name:
            continue
        if not re.fullmatch(r"\d+_\w+", name) or not (folder / name).is_dir():
            raise PushError(f"--model {folder}: module {name!r}, named by {MODULES}, is missing; {makes}")
        _refuse_pickles(folder / name)
        parts = [p for p in (folder / name).iterdir() if p.is_file() and _MODULE.fullmatch(p.name)]
        files |= {f"{name}/{path.name}": path for path in parts}
    sides = [name for name, kind in named if not kind.startswith("sentence_transformers.")]
    if not sides:
        return ModelFolder(folder, "embedder", config, training, _count(weights), files | weights)
    core = folder / sides[0]
    code = {path.name: path for path in _imported(folder, {kind.split(".")[0] for _, kind in named}, makes)}
    core_config = _read_json(core / CONFIG, makes)
    return ModelFolder(folder, "export", core_config, training, _count(_weights(core, makes)), files | weights | code)


def _refuse_pickles(folder: Path) -> None:
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise PushError(
            f"--model {folder}: {', '.join(pickles)} can run code when loaded and is never pushed; "
            "save with `save_pretrained`, which writes safetensors, and remove it"
        )


def _weights(folder: Path, makes: str) -> dict[str, Path]:
    """The weights of a folder, with their index when there are shards."""
    weights = {path.name: path for path in sorted(folder.iterdir()) if WEIGHTS.fullmatch(path.name)}
    if not weights:
        raise PushError(f"--model {folder}: no model.safetensors; {makes}")
    if list(weights) != ["model.safetensors"]:
        _check_index(folder / WEIGHTS_INDEX, set(weights), makes)
        weights[WEIGHTS_INDEX] = folder / WEIGHTS_INDEX
    return weights


def _count(weights: dict[str, Path]) -> int:
    return sum(_count_parameters(path) for name, path in weights.items() if name != WEIGHTS_INDEX)


def _imported(folder: Path, modules: Iterable[str], makes: str) -> list[Path]:
    """The code files of the modules, and those that they import from beside them."""
    found: dict[str, Path] = {}
    wanted = [name for name in sorted(modules) if name != "sentence_transformers"]
    while wanted:
        name = wanted.pop()
        path = folder / f"{name}.py"
        if name in found:
            continue
        if not path.is_file():
            raise PushError(f"--model {folder}: code file {path.name} is missing; {makes}")
        found[name] = path
        wanted += re.findall(r"^\s*from \.(\w+) import", path.read_text(encoding="utf-8"), re.MULTILINE)
    return sorted(found.values())


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
