"""Settings that the command passes to the page, which is a separate script without arguments."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from dataset_builders.common.errors import DataError

VARIABLE = "DIALOGUE_CUBE_DASHBOARD"
"""Environment variable with the settings as JSON."""


@dataclass(frozen=True)
class Settings:
    """Settings of the page.

    Args:
        database: Path of the DuckDB file.
        cores: Folders of trained cores.
        leaderboards: JSON files of `dialogue-cube leaderboard`.
        flows: Folders of `dialogue-cube flow`.
        assistants: Folders of `dialogue-cube assistant build`.
        teacher: Encoder to find similar utterances.
        language: Language of the page, if the address names none.
        token: What the address must show before a core or SQL is asked or a row is marked; empty if only this machine
            reaches the page.
        vectors: Folder of `dialogue-cube embed`; empty for none.
        decisions: File for the decisions of visitors about rows; empty if the page is read-only.
        compared: Path of the database of another build, to compare with; empty for none.
        encoders: Encoders to compare with each other, besides the teacher and the cores.
    """

    database: str
    cores: tuple[str, ...] = ()
    leaderboards: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    assistants: tuple[str, ...] = ()
    teacher: str = "minilm"
    language: str = "en"
    token: str = ""
    vectors: str = ""
    decisions: str = ""
    compared: str = ""
    encoders: tuple[str, ...] = ()

    def publish(self) -> None:
        """Set the environment variable for this process and its children."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def read(cls) -> Settings:
        """Read the environment variable.

        Raises:
            DataError: The page was not started by the command.
        """
        if not os.environ.get(VARIABLE):
            raise DataError("start this page with the command: dialogue-cube dashboard --database FILE")
        values: dict[str, Any] = json.loads(os.environ[VARIABLE])
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values | lists)
