"""The language of a text, identified offline by py3langid (Lui & Baldwin 2012, retrained)."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def identifier() -> Any:
    """The identifier: `classify(text)` returns (language, confidence from 0 to 1), `labels` the languages it knows."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


# languages that are hard to distinguish in a short text: confusing them does not count
_ALIKE = (
    {"no", "nb", "nn", "da", "sv"},
    {"hr", "sr", "bs", "sh", "sl"},
    {"id", "ms", "jv", "su"},
    {"cs", "sk"},
    {"pt", "gl"},
    {"en", "pcm"},
    {"fa", "prs", "tg"},
    {"zh", "yue", "wuu"},
)


def are_alike(one: str, other: str) -> bool:
    """Whether two languages are equal, or so similar that they are confused in a short text.

    >>> are_alike("nb", "da"), are_alike("en", "de")
    (True, False)
    """
    return one == other or any({one, other} <= group for group in _ALIKE)
