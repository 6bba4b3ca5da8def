"""Texts with a seal at their end, which tells whether a file is still as a command wrote it.

>>> text = sealed("# Assistant")
>>> is_sealed(text), is_sealed(text.replace("A", "My a")), is_sealed("# Mine")
(True, False, False)
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from dataset_builders.common.files import write_whole

logger = logging.getLogger(__name__)

_SEAL = re.compile(r"\n<!-- as written by dialogue-cube: ([0-9a-f]{32}) -->\n\Z")


def sealed(text: str) -> str:
    """A text of Markdown or HTML with a comment at its end that holds its digest."""
    return f"{text}\n<!-- as written by dialogue-cube: {_digest(text)} -->\n"


def is_sealed(text: str) -> bool:
    """Whether a text is one that `sealed` returned, unchanged."""
    seal = _SEAL.search(text)
    return seal is not None and seal[1] == _digest(text[: seal.start()])


def write_sealed(path: Path, text: str) -> None:
    """Replace a sealed text atomically; one that somebody has edited or written stays, with a warning.

    Args:
        path: File, which need not exist.
        text: Text that `sealed` returned.

    Raises:
        OSError: It cannot be read or written.
    """
    if path.exists() and not is_sealed(path.read_text(encoding="utf-8", errors="replace")):
        logger.warning("%s: was edited and stays as it is; delete it to get a new one the next time", path)
        return
    write_whole(path, text)


def _digest(text: str) -> str:
    from xxhash import xxh3_128

    return xxh3_128(text.encode("utf-8", "surrogatepass")).hexdigest()
