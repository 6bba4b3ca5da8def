"""What tells one teacher from another: its files, and what its tokenizer makes of a text."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)

# notes of whoever saved the file: they change no vector (the dtype is a setting of the teacher)
_NOTES = {"_name_or_path", "_model_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype"}
_NOTES |= {"use_cache", "gradient_checkpointing"}

_PROBE = "Hello, World! It's 9:05 -- Прощай, déjà vu 你好 🙂\n"
"""Case, accents, marks, digits, several scripts and a line end: where tokenizers of one vocabulary differ."""


def weights_sha256(folder: Path) -> str:
    """One sha256 over the weight and tokenizer files, by name and content, and the model's configuration."""
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    total = hashlib.sha256()
    for path in weights + [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]:
        total.update(f"{path.name}\0{_file_sha256(path)}\n".encode())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    facts = {key: value for key, value in config.items() if key not in _NOTES}
    total.update(json.dumps(facts, sort_keys=True).encode())
    return total.hexdigest()


def fingerprint(weights: str, tokenizer: Any, settings: dict[str, Any]) -> str:
    """sha256 over all that decides a vector.

    Args:
        weights: See `weights_sha256`.
        tokenizer: Settings in half a dozen files act on it; its token ids for a probe text tell them all.
        settings: Pooling, prefix, dtype and the like.
    """
    facts = [weights, tokenizer(_PROBE)["input_ids"], settings]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    blob = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", blob):  # the Hub's cache names large files by their sha256: no need to read them
        return blob
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
