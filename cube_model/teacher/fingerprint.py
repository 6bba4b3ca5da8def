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


_IDENTITY = {"name", "repo", "revision", "fallback_from", "fingerprint", "weights_sha256"}
"""Recorded entries that identify a teacher; the others are its settings."""


def setting_differences(recorded: dict[str, Any], actual: dict[str, Any]) -> str:
    """Describe in which settings a teacher differs from a recorded one.

    Args:
        recorded: Result of `Teacher.describe` in an earlier run; entries may be missing.
        actual: Result of `Teacher.describe` now.

    Returns:
        Text that follows the teacher's name in a message: ` (dtype 'float32' instead of 'bfloat16')`; empty if all
        settings are equal.
    """
    settings = [key for key in recorded if key in actual and key not in _IDENTITY]
    differences = [
        f"{key} {actual[key]!r} instead of {recorded[key]!r}" for key in settings if actual[key] != recorded[key]
    ]
    return f" ({'; '.join(differences)})" if differences else ""
