"""Texts with a seal at their end, which tells whether a file is still as a command wrote it.

>>> text = sealed("# Assistant")
>>> is_sealed(text), is_sealed(text.replace("A", "My a")), is_sealed("# Mine")
(True, False, False)
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from dataset_builders.common.files import synchronise, write_whole

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
    if path.exists() and not is_sealed(_read(path)):
        logger.warning("%s: was edited and stays as it is; delete it to get a new one the next time", path)
        return
    write_whole(path, text)


def keep_edited(page: Path, successor: Path, beside: Path) -> None:
    """Copy a page that somebody has edited before a new one replaces it, with a warning.

    Args:
        page: Page of the output that is replaced; it need not exist.
        successor: The same page of the new output. One without a seal shows nothing about the first.
        beside: Path of the copy; a number is added if another text lies there.

    Raises:
        OSError: A file cannot be read or written.
    """
    if not page.is_file() or not successor.is_file() or not is_sealed(_read(successor)) or is_sealed(_read(page)):
        return
    content = page.read_bytes()
    names = (f"{beside.stem}{number}{beside.suffix}" for number in ("", *(f"-{i}" for i in range(2, 1000))))
    copies = (beside.with_name(name) for name in names)
    copy = next(path for path in copies if not path.exists() or path.read_bytes() == content)
    if not copy.exists():
        aside = copy.with_name(f".{copy.name}.part")
        aside.write_bytes(content)
        synchronise(aside)
        aside.replace(copy)
    logger.warning("%s: was not as written by this version; its text is kept in %s", page, copy)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _digest(text: str) -> str:
    from xxhash import xxh3_128

    return xxh3_128(text.encode("utf-8", "surrogatepass")).hexdigest()
