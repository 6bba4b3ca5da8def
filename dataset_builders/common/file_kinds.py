"""Kinds of single files that a command writes. Only files that this program made are replaced.

Pages, plots and other files in common formats carry `MARK` near their beginning or end. JSON files are recognised by
their content.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import OutputKind

MARK = "dialogue-cube"
"""Name of the program that made a file, in its metadata."""

HTML_MARK = f"<!-- made by {MARK} -->"
"""The mark of a page, in its head; a comment, since nbconvert parses pages and writes their elements anew."""

_LOOKED_AT = 1 << 16
"""Bytes at the beginning and at the end of a file in which the mark is looked for."""

_LONGEST = 1 << 28
"""Bytes of a JSON file that are read to recognise it."""


def file_kind(what: str, *beginnings: bytes, mark: str = MARK, error: type[Exception] = DataError) -> OutputKind:
    """The kind of a single file that its first bytes and our mark tell: a page or plot of somebody else stays.

    Args:
        what: Such as "plots", for messages.
        beginnings: First bytes in lower case, blanks before them left out; an empty file counts as ours.
        mark: Text that only our files have, within 64 KiB of the beginning or the end.
        error: Type of the errors.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as somewhere:
        ...     page = Path(somewhere, "page.html")
        ...     _ = page.write_text("<!doctype html><title>My thesis</title>")
        ...     mine = HTML_FILE.is_ours(page)
        ...     _ = page.write_text(f"<!doctype html>{HTML_MARK}<title>A report</title>")
        ...     mine, HTML_FILE.is_ours(page)
        (False, True)
    """

    def is_ours(path: Path) -> bool:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT)
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOOKED_AT))
            tail = file.read(_LOOKED_AT)
        if not head.strip():
            return not tail.strip()
        return head.lstrip().lower().startswith(beginnings) and (mark.encode() in head or mark.encode() in tail)

    return OutputKind(f"a command of {MARK} that writes {what}", "file", is_ours, error=error)


def json_kind(
    what: str,
    *keys: str,
    is_row: Callable[[dict[str, Any]], bool] = lambda _: True,
    error: type[Exception] = DataError,
) -> OutputKind:
    """The kind of a single file of JSON, or of JSON lines, whose first object has some keys: not the data of a user.

    Args:
        what: Such as "figures as JSON", for messages.
        keys: Keys of the first object; an empty file counts as ours.
        is_row: Whether the first object, which has these keys, is of ours.
        error: Type of the errors.
    """

    def is_ours(path: Path) -> bool:
        with path.open("rb") as file:
            first = file.readline(1 << 24)
            if not first.strip():
                return not file.read(1 << 10).strip()
            for text in (first, first + file.read(_LONGEST)):
                try:
                    value = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                return isinstance(value, dict) and value.keys() >= set(keys) and is_row(value)
        return False

    return OutputKind(f"a command of {MARK} that writes {what}", "file", is_ours, error=error)


FIGURES = json_kind("figures as JSON", "command", is_row=lambda row: str(row["command"]).startswith(f"{MARK} "))
HTML_FILE = file_kind("HTML", b"<!doctype html", mark=HTML_MARK)
