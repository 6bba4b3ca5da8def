"""Text encoders for relatedness scores and hard negatives, loaded by entry point so that nothing here imports torch.

A package provides encoders by a function `load(name) -> Encoder`, registered in its `pyproject.toml`:

    [project.entry-points."dialogue_cube.encoders"]
    teacher = "cube_model.vectors.plugin:load_encoder"
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Protocol, cast

import numpy as np

from dataset_builders.common.errors import DataError

ENTRY_POINTS = "dialogue_cube.encoders"


class Encoder(Protocol):
    """Maps texts to embeddings.

    Attributes:
        name: Name that the encoder was loaded by, for reports.
        fingerprint: Equal for encoders that give equal embeddings.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def encode(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Encode texts.

        Args:
            texts: n texts.
            progress: Show a progress bar on the error stream.

        Returns:
            Embeddings, float32 of shape (n, d), with norm 1, so that a dot product is the cosine.
        """
        ...


def load_encoder(name: str) -> Encoder:
    """Load an encoder from the first entry point, in alphabetical order, that can provide it.

    Raises:
        DataError: No installed package provides encoders, or none can load this one; the message quotes each of them.
    """
    plugins = sorted(entry_points(group=ENTRY_POINTS), key=lambda plugin: plugin.name)
    if not plugins:
        raise DataError(
            f"encoder {name}: no installed package provides encoders (entry points {ENTRY_POINTS}); "
            "reinstall dialogue-cube with `pip install .`, or build without an encoder"
        )
    problems = []
    for plugin in plugins:
        try:
            return cast(Encoder, plugin.load()(name))
        except Exception as error:  # a plug-in may raise anything
            cause = error
            lines = str(error).strip().splitlines()
            problems.append(f"{plugin.name}: {lines[0] if lines else type(error).__name__}")
    raise DataError(f"encoder {name} cannot be loaded: {'; '.join(problems)}") from cause
