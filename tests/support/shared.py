"""The folder of data that the repository cannot hold: real corpora, and texts of other people."""

import os
from pathlib import Path

SHARED = "DIALOGUE_CUBE_SHARED"
"""Environment variable with a folder that has `corpora/`; by default `shared` beside the checkout."""


def shared_folder() -> Path:
    """Return the folder, which may not exist."""
    return Path(os.environ.get(SHARED) or Path(__file__).parents[3] / "shared")
