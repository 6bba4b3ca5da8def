"""The command that gives a file's figures again, as it stands in that file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def command_line(command: str, options: Mapping[str, Any]) -> str:
    """A command as one would type it, with every option that decides the figures.

    Args:
        command: Its name behind `dialogue-cube`.
        options: Name without dashes -> value: of a local path only its last part is told, lists are joined by commas,
            None is left out.
    """
    given = " ".join(f"--{name} {_shown(value)}" for name, value in options.items() if value is not None)
    return f"dialogue-cube {command} {given} --json FILE"


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return shlex.quote(",".join(str(each) for each in value))
    text = str(value)
    return shlex.quote(Path(text).resolve().name if Path(text).exists() else text)
