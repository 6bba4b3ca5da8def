"""The files of a trained model; all other files in its folder are ignored.

Core               config.json with `auto_map`, model.safetensors (or shards and their index), the code files that
                   `auto_map` and modules.json name, pipeline_cube.py, handler.py, requirements.txt, training.json
Embedder, export   the modules that modules.json names: an encoder with its tokenizer, and one folder per module; the
                   code files of an export; training.json if there is one
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cube_model.card.card import ModelFacts
from cube_model.core.teacher_cube import is_static
from dataset_builders.common.reading import read_json
from push_scripts.errors import PushError

CONFIG, TRAINING, MODULES, SETTINGS, WEIGHTS_INDEX = (
    "config.json",
    "training.json",
    "modules.json",
    "config_sentence_transformers.json",
    "model.safetensors.index.json",
)
REQUIREMENTS = "requirements.txt"
CORE_TYPE = "cube"
"""`model_type` in the `config.json` of a core."""

WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
OWNED = re.compile(
    rf"({WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|{MODULES}|{re.escape(SETTINGS)}|\w+_cube\.py|\w+_turns\.py|"
    rf"composers\.py|pooling\.py|sentence_transformer_module\.py|handler\.py|{re.escape(REQUIREMENTS)}|{TRAINING}|\d+_\w+/.+|index/.+|\.eval_results/.+)"
)
"""Files of an earlier push that a new one replaces or deletes."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Formats that can run code when they are loaded."""

_TOKENIZER = re.compile(
    r"tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(txt|json)|merges\.txt|"
    r"(spiece|tokenizer|sentencepiece(\.bpe)?|source|target)\.model|"
    r"chat_template\.jinja"
)
_ENCODER = re.compile(
    rf"{CONFIG}|{WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|{MODULES}|sentence_bert_config\.json|"
    rf"config_sentence_transformers\.json|{_TOKENIZER.pattern}"
)
_MODULE = re.compile(
    rf"{WEIGHTS.pattern}|{re.escape(WEIGHTS_INDEX)}|((\w+_)?config|pooling)\.json|{_TOKENIZER.pattern}"
)


_SHAPES = {
    CONFIG: {"model_type": str, "auto_map": {"*": (str, list)}, "teacher": dict, "training": dict},
    TRAINING: {"versions": dict, "arguments": dict},
    WEIGHTS_INDEX: {"weight_map": {"*": str}},
}


@dataclass(frozen=True)
class ModelFolder(ModelFacts):
    """The files of a model, checked. In its `training`, local paths are cut to their last part.

    Attributes:
        path: The folder.
        files: Path in the repository -> local file, for all files that are uploaded unchanged.
    """

    path: Path
    files: dict[str, Path]


def read_model_folder(folder: Path) -> ModelFolder:
    """Check that a folder holds a complete and safe model that everybody can load.

    Checkpoints, optimizer states and logs in it are ignored.

    Args:
        folder: Folder that a training or `dialogue-cube export` wrote.

    Raises:
        PushError: It does not; the message names the command that makes one.
    """
    expected = (
        f"expected a folder made by `accelerate launch -m cube_model.train --output {folder}` or `cube_model.embedder`"
    )
    if not folder.is_dir():
        raise PushError(f"--model {folder}: no such folder; {expected}")
    _refuse_pickles(folder)
    static = (folder / MODULES).is_file() and is_static(folder)
    config = {} if static else _read_json(folder / CONFIG, expected)
    training = _without_paths(_read_json(folder / TRAINING, expected)) if (folder / TRAINING).exists() else {}
    if (folder / MODULES).exists() and config.get("model_type") != CORE_TYPE:
        return _sentence_transformer(folder, config, training, expected)
    weights = _weights(folder, expected)
    files = {path.name: path for path in [folder / CONFIG, *_code(folder, config, expected)]} | weights
    reads_text = (folder / MODULES).exists()
    if reads_text:
        files |= _text_files(folder, expected)
    return ModelFolder("core", config, training, _count(weights), _size(weights), reads_text, path=folder, files=files)


def _text_files(folder: Path, expected: str) -> dict[str, Path]:
    """Return the files of a core with which others turn texts into vectors, with all code that they import."""
    modules = {name.split(".")[0] for name in _module_types(folder, expected).values()}
    modules |= {name for name in ("pipeline_cube", "handler") if (folder / f"{name}.py").is_file()}
    code = {path.name: path for path in _imported(folder, modules, expected)}
    return code | {name: folder / name for name in (MODULES, SETTINGS, REQUIREMENTS) if (folder / name).is_file()}


def _module_types(folder: Path, expected: str) -> dict[str, str]:
    """Return path -> type of the modules in modules.json."""
    modules = read_json(folder / MODULES, expected, [{"path!": str, "type!": str}], error=PushError)
    return {module["path"]: module["type"] for module in modules}


def _sentence_transformer(folder: Path, config: dict[str, Any], training: dict[str, Any], expected: str) -> ModelFolder:
    types = _module_types(folder, expected)
    files = {path.name: path for path in folder.iterdir() if path.is_file() and _ENCODER.fullmatch(path.name)}
    weights = _weights(folder, expected)
    for name in types:
        if not name:
            continue
        if not re.fullmatch(r"\d+_\w+", name) or not (folder / name).is_dir():
            raise PushError(f"--model {folder}: module {name!r}, named by {MODULES}, is missing; {expected}")
        _refuse_pickles(folder / name)
        parts = [p for p in (folder / name).iterdir() if p.is_file() and _MODULE.fullmatch(p.name)]
        files |= {f"{name}/{path.name}": path for path in parts}
    own_kinds = {name: kind for name, kind in types.items() if not kind.startswith("sentence_transformers.")}
    code = {
        path.name: path for path in _imported(folder, {kind.split(".")[0] for kind in own_kinds.values()}, expected)
    }
    own_folders = [name for name in own_kinds if name]
    if not own_folders:  # of an encoder of turns, with code, or another one
        files |= weights | code
        return ModelFolder(
            "embedder", config, training, _count(weights), _size(weights), True, path=folder, files=files
        )
    core = folder / own_folders[0]
    core_config, parameters = _read_json(core / CONFIG, expected), _count(_weights(core, expected))
    files |= weights | code
    size = _size({name: path for name, path in files.items() if path.suffix == ".safetensors"})
    return ModelFolder("export", core_config, training, parameters, size, True, path=folder, files=files)


def _refuse_pickles(folder: Path) -> None:
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise PushError(
            f"--model {folder}: {', '.join(pickles)} can run code when loaded and is never pushed; "
            "remove it and save the model with `save_pretrained`, which writes safetensors"
        )


def _weights(folder: Path, expected: str) -> dict[str, Path]:
    """Return the weights of a folder, with the index if there are shards."""
    weights = {path.name: path for path in sorted(folder.iterdir()) if WEIGHTS.fullmatch(path.name)}
    if not weights:
        raise PushError(f"--model {folder}: no model.safetensors; {expected}")
    if list(weights) != ["model.safetensors"]:
        _check_index(folder / WEIGHTS_INDEX, set(weights), expected)
        weights[WEIGHTS_INDEX] = folder / WEIGHTS_INDEX
    return weights


def _count(weights: dict[str, Path]) -> int:
    return sum(_count_parameters(path) for name, path in weights.items() if name != WEIGHTS_INDEX)


def _size(weights: dict[str, Path]) -> int:
    return sum(path.stat().st_size for path in weights.values())


def _imported(folder: Path, modules: Iterable[str], expected: str) -> list[Path]:
    """Return the code files of the modules, and those that they import from the same folder."""
    paths: set[Path] = set()
    names = sorted(name for name in modules if name != "sentence_transformers")
    while names:
        path = folder / f"{names.pop()}.py"
        if path in paths:
            continue
        if not path.is_file():
            raise PushError(f"--model {folder}: code file {path.name} is missing; {expected}")
        paths.add(path)
        names += re.findall(r"^\s*from \.(\w+) import", path.read_text(encoding="utf-8"), re.MULTILINE)
    return sorted(paths)


def _without_paths(record: dict[str, Any]) -> dict[str, Any]:
    """Cut local paths in a record of version 0.2 or older: `/home/ann/corpus` becomes `corpus`.

    Later records have none. Whether `org/name` was a repository is not known afterwards: it stays as it is, and no
    card links it.
    """
    arguments = record.get("arguments")
    if isinstance(arguments, dict):
        record = record | {"arguments": {key: _last_part(value) for key, value in arguments.items()}}
    return record


def _last_part(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = re.split(r"[/\\]", value.rstrip("/\\"))
    is_path = len(parts) > 2 or parts[0] in ("", ".", "..", "~") or parts[0].endswith(":")
    return parts[-1] if is_path else value


def _read_json(path: Path, expected: str) -> dict[str, Any]:
    if not path.exists():
        raise PushError(f"--model {path.parent}: not a saved model, {path.name} is missing; {expected}")
    shape: Any = _SHAPES.get(path.name, dict)
    return read_json(path, expected, shape, error=PushError)


def _code(folder: Path, config: dict[str, Any], expected: str) -> list[Path]:
    """Return the code files that `auto_map` names: `{"AutoModel": "modeling_cube.CubeModel"}`."""
    auto_map = config.get("auto_map") or {}
    if not {"AutoConfig", "AutoModel"} <= auto_map.keys():
        raise PushError(f"{folder / CONFIG}: no `auto_map`, so nobody else could load the model; {expected}")
    files = sorted({folder / f"{str(name).rpartition('.')[0]}.py" for name in auto_map.values()})
    for path in files:
        if not re.fullmatch(r"\w+\.py", path.name) or not path.is_file():
            raise PushError(f"--model {folder}: code file {path.name}, named by `auto_map`, is missing; {expected}")
    return files


def _check_index(index: Path, shards: set[str], expected: str) -> None:
    indexed = set(_read_json(index, expected).get("weight_map", {}).values())
    if indexed != shards:
        differing = ", ".join(sorted(indexed ^ shards))
        raise PushError(f"{index} does not match the shards in the folder ({differing}); {expected}")


def _count_parameters(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as weights:
            return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise PushError(
            f"{path} is not a safetensors file ({error}); train again, or save with `save_pretrained`"
        ) from error
