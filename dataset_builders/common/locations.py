"""Tell a folder from a Hub repository by its name, so that a mistyped folder is not searched for on the Hub.

>>> is_folder("nowhere", "pass a folder or a Hub dataset such as org/name")
Traceback (most recent call last):
dataset_builders.common.errors.DataError: nowhere: no such folder; pass a folder or a Hub dataset such as org/name
>>> is_folder("org/name", "pass a folder or a Hub dataset such as org/name")
False
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from dataset_builders.common.errors import DataError, DialogueCubeError

A_DATASET = "pass a folder made by `dialogue-cube build`, or a Hub dataset such as org/name"
A_CORE = "pass the output of a training, or a Hub repository such as org/name"
"""Advice of `is_folder`."""

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def is_folder(
    location: str | os.PathLike[str],
    advice: str,
    *,
    what: str = "",
    names: Iterable[str] = (),
    error: type[DialogueCubeError] = DataError,
) -> bool:
    """Decide whether a location is a folder or a Hub repository; nothing is downloaded.

    A repository is `org/name`. Where no such folder exists but one of a similar name does, the folder is meant:
    `runs/corpsu` beside `runs/corpus` is a mistake, not the repository of an organisation called `runs`.

    Args:
        location: Folder or repository, as the user wrote it.
        advice: What to pass instead, for the error message.
        what: Kind of thing, for the beginning of error messages.
        names: Short names that are also understood, for suggestions.
        error: Type of the errors.

    Returns:
        True for an existing folder, False for what can only be a repository.

    Raises:
        DialogueCubeError: Of the type `error`: it is a file, or neither a folder nor the name of a repository.
    """
    text = os.fspath(location)
    shown = f"{what} {text}".lstrip()
    path = Path(text).expanduser()
    if path.is_dir():
        return True
    if path.exists():
        raise error(f"{shown}: is not a folder; {advice}")
    folders = _folders_beside(path)
    if _REPOSITORY.fullmatch(text):
        similar = difflib.get_close_matches(path.name, folders, n=2)
        if not similar:
            return False
    else:
        similar = difflib.get_close_matches(path.name, [*names, *folders], n=2)
    suggestions = " or ".join(_as_typed(text, name) if name in folders else name for name in similar)
    raise error(f"{shown}: no such folder; {f'did you mean {suggestions}? If not, ' if similar else ''}{advice}")


def _folders_beside(path: Path) -> list[str]:
    try:
        return sorted(child.name for child in path.parent.iterdir() if child.is_dir())
    except OSError:
        return []


def _as_typed(text: str, name: str) -> str:
    """A folder beside the one that the user wrote, with the same beginning: `runs/corpsu` -> `runs/corpus`."""
    beginning = text.rstrip("/").removesuffix(Path(text).name)
    return f"{beginning}{name}"
