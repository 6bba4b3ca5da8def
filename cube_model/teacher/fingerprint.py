"""Fingerprints of teachers, from their files, settings and tokenization."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cube_model.core import teacher_cube
from dataset_builders.common.listing import list_files

_PROBE = "Hello, World! It's 9:05 -- Прощай, déjà vu 你好 🙂\n"
"""Case, accents, punctuation, digits, scripts and a newline: where tokenizers with equal vocabularies differ."""


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


def weights_sha256(folder: Path) -> str:
    """Hash the weights of a teacher, see `teacher_cube.weights_sha256`.

    Args:
        folder: Folder of the teacher.

    Raises:
        DataError: The folder cannot be listed, so weights of any name would be missed.
    """
    list_files(folder, "*")
    return teacher_cube.weights_sha256(folder)
