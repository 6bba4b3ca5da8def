"""The folder of what is too large for the repository, or not ours to put there: real corpora, the owner's texts."""

import os
from pathlib import Path

SHARED = "DIALOGUE_CUBE_SHARED"
"""The one setting for tests on real corpora: a folder with `corpora/`. Default: `shared` beside the checkout."""


def shared_folder() -> Path:
    """The folder, whether it is there or not."""
    return Path(os.environ.get(SHARED) or Path(__file__).parents[3] / "shared")
