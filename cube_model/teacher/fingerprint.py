"""Fingerprints of teachers, from their files, settings and tokenization."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from dataset_builders.common.listing import list_files

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

_PROBE = "Hello, World! It's 9:05 -- Прощай, déjà vu 你好 🙂\n"
"""Case, accents, punctuation, digits, scripts and a newline: where tokenizers with equal vocabularies differ."""


def weights_sha256(folder: Path) -> str:
    """Hash the weight and tokenizer files, by name and content, and the model configuration into one sha256."""
    weights = list_files(folder, "*.safetensors") or list_files(folder, "pytorch_model*.bin")
    total = hashlib.sha256()
    for path in weights + [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]:
        total.update(f"{path.name}\0{_file_sha256(path)}\n".encode())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    facts = {key: value for key, value in config.items() if key not in _METADATA}
    total.update(json.dumps(facts, sort_keys=True).encode())
    return total.hexdigest()


def fingerprint(weights: str, tokenizer: Any, settings: dict[str, Any]) -> str:
    """Hash everything that determines an embedding into one sha256.

    The tokenizer's settings are spread over half a dozen files, so its token ids for a probe text represent it.

    Args:
        weights: Result of `weights_sha256`.
        tokenizer: Tokenizer of the teacher.
        settings: Settings of the teacher, such as pooling, prefix and dtype.
    """
    facts = [weights, tokenizer(_PROBE)["input_ids"], settings]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    blob = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", blob):  # the Hub cache names large files by their sha256
        return blob
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
