"""When two texts count as the same: equal but for case, punctuation, spacing and Unicode form."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable

_NOT_WORD = re.compile(r"[\W_]+")


def normalize(text: str) -> str:
    """Case-folded words of a text, of any script, with single blanks between; the text itself if it has no word.

    >>> normalize("Thank  you!") == normalize("thank you")
    True
    """
    folded = text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", folded).strip() or text.strip()


@functools.lru_cache(maxsize=1 << 16)  # a turn is asked for as part of its dialogue and as an answer
def text_id(text: str) -> str:
    """16 hex digits that are equal exactly for texts with the same `normalize` (64-bit BLAKE2b)."""
    return hashlib.blake2b(normalize(text).encode(), digest_size=8).hexdigest()


def turns_id(texts: Iterable[str]) -> str:
    """16 hex digits that are equal for dialogues with the same normalised turns in the same order."""
    return hashlib.blake2b("".join(map(text_id, texts)).encode(), digest_size=8).hexdigest()
