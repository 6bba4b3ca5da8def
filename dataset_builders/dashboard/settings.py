"""What the command tells the page: it runs as a script of its own and takes no arguments."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from dataset_builders.common.errors import DataError

VARIABLE = "DIALOGUE_CUBE_DASHBOARD"
"""Environment variable that holds the settings as JSON."""


@dataclass(frozen=True)
class Settings:
    """All paths as they were given.

    Args:
        database: The DuckDB file.
        cores: Folders of trained cores.
        leaderboards: JSON files of `dialogue-cube leaderboard`.
        teacher: Encoder for neighbours when no core is given.
        language: Of the interface where the address says none.
    """

    database: str
    cores: tuple[str, ...] = ()
    leaderboards: tuple[str, ...] = ()
    teacher: str = "minilm"
    language: str = "en"

    def publish(self) -> None:
        """Put them where `read` finds them, in this process and its children."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def read(cls) -> Settings:
        """What `publish` put there.

        Raises:
            DataError: The page was not started by the command.
        """
        if not os.environ.get(VARIABLE):
            raise DataError("this page is started by the command: dialogue-cube dashboard --database FILE")
        values = json.loads(os.environ[VARIABLE])
        return cls(**values | {key: tuple(values[key]) for key in ("cores", "leaderboards")})
