"""The files of a frozen teacher: where they are, and whether they are those of the training.

Uploaded with the weights, so it imports nothing from this project.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

IGNORED_FILES = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.tflite", "*.gguf", "original/*"]
"""Files in the repositories of teachers that are not downloaded."""

_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)

# metadata that does not affect the embeddings; the dtype is part of the teacher's settings
_METADATA = {"_name_or_path", "_model_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype"}
_METADATA |= {"use_cache", "gradient_checkpointing"}


def teacher_folder(recorded: Mapping[str, Any], teacher: str | None = None, **hub: Any) -> Path:
    """Return the folder of a core's teacher, which is downloaded if necessary.

    Args:
        recorded: `teacher` in the core's `config.json`.
        teacher: Folder or Hub repository of the teacher. Default: the recorded repository at the recorded commit.
        hub: Further arguments of `huggingface_hub.snapshot_download`.

    Raises:
        ValueError: The teacher has no recorded repository or commit, or other weights than in the training.
    """
    from huggingface_hub import snapshot_download

    name, repo = recorded.get("name"), teacher or recorded.get("repo")
    if not repo:
        raise ValueError(
            f"the teacher of this core, {name}, is in no recorded Hub repository: pass its folder, "
            f'model_kwargs={{"teacher": "PATH"}} to SentenceTransformer or teacher="PATH" to pipeline'
        )
    folder = Path(repo).expanduser()
    if not folder.is_dir():
        revision = None if teacher else str(recorded.get("revision"))
        if revision is not None and not re.fullmatch(r"[0-9a-f]{40}", revision):  # could name other files tomorrow
            raise ValueError(
                f"the core does not record the commit of its teacher {repo}: download one that you trust, and pass its "
                f'folder, model_kwargs={{"teacher": "PATH"}} to SentenceTransformer or teacher="PATH" to pipeline'
            )
        folder = Path(snapshot_download(repo, revision=revision, ignore_patterns=IGNORED_FILES, **hub))
    for older in ("0_Transformer", "0_StaticEmbedding"):  # where older sentence-transformers keep the encoder
        folder = folder / older if (folder / older).is_dir() else folder
    if recorded.get("weights_sha256") not in (None, weights_sha256(folder)):
        raise ValueError(
            f"{repo}: not the teacher that the core was trained with ({name}): its weights or its tokenizer differ; "
            "pass the folder or repository of that one"
        )
    return folder


def weights_sha256(folder: Path) -> str:
    """Hash the weight and tokenizer files, by name and content, and the model configuration into one sha256."""
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    total = hashlib.sha256()
    for path in weights + [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]:
        total.update(f"{path.name}\0{_file_sha256(path)}\n".encode())
    config = {} if is_static(folder) else json.loads((folder / "config.json").read_text(encoding="utf-8"))
    facts = {key: value for key, value in config.items() if key not in _METADATA}
    total.update(json.dumps(facts, sort_keys=True).encode())
    return total.hexdigest()


def is_static(folder: Path) -> bool:
    """Return whether a folder holds a static encoder: a table and a tokenizer, but no configuration of a model."""
    return (folder / "tokenizer.json").is_file() and not (folder / "config.json").is_file()


def _file_sha256(path: Path) -> str:
    blob = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", blob):  # the Hub cache names large files by their sha256
        return blob
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
