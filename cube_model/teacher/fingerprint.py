"""Fingerprints of teachers, from their files, settings and tokenization."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cube_model.core.teacher_cube import weights_sha256

__all__ = ["fingerprint", "weights_sha256"]

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
