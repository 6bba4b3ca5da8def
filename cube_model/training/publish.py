"""Publishes a trained core through the entry points of `push_scripts`, which this package must not import."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError

_PUSH, _OPTIONS = ("dialogue_cube.push", "model"), ("dialogue_cube.options", "push")
"""Groups and names of the entry points."""


def publish(write: Callable[[], Path], repo_id: str, *, writes: bool, **options: Any) -> str | None:
    """Publish a core like `dialogue-cube push model`.

    Args:
        write: Writes the folder of the core and returns it.
        repo_id: Repository.
        writes: Whether this process is the one that writes.
        options: Options of `push`.

    Returns:
        URL of the commit or pull request; None in other processes.

    Raises:
        ModelError: The package is not installed with its entry points.
    """
    push, options_type = (_entry_point(*where) for where in (_PUSH, _OPTIONS))
    if not writes:
        return None
    pushed = push(write(), repo_id, options_type(**options))
    return str(pushed.published.url)


def _entry_point(group: str, name: str) -> Any:
    offers = list(entry_points(group=group, name=name))
    if not offers:
        raise ModelError(f"no entry point {name} in {group}: install dialogue-cube again")
    return offers[0].load()
