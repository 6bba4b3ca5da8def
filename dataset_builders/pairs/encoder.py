"""Text encoders for optional checks (relatedness, mined negatives): found by entry point, never imported.

A package offers encoders with a function `load(name) -> Encoder`, registered in its `pyproject.toml`:

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
    """Texts in, vectors out.

    Attributes:
        name: What the encoder was loaded by; written into reports.
        fingerprint: Equal for encoders that give equal vectors.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def encode(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Vectors of `texts`: float32 `[n, d]`, every row of length 1, so that a dot product is the cosine."""
        ...


def load_encoder(name: str) -> Encoder:
    """The encoder of that name from the first installed package that has it, packages in order of their names.

    Raises:
        DataError: No package offers encoders, or none has this one; the message holds what each of them said.
    """
    offers = sorted(entry_points(group=ENTRY_POINTS), key=lambda offer: offer.name)
    if not offers:
        raise DataError(
            f"encoder {name}: no installed package offers encoders (entry points {ENTRY_POINTS}); "
            "reinstall dialogue-cube with `pip install .`, or build without an encoder"
        )
    refusals = []
    for offer in offers:
        try:
            return cast(Encoder, offer.load()(name))
        except Exception as error:  # a plug-in of any make: its message, not its type, is what the user needs
            cause = error
            lines = str(error).strip().splitlines()
            refusals.append(f"{offer.name}: {lines[0] if lines else type(error).__name__}")
    raise DataError(f"encoder {name} cannot be loaded: {'; '.join(refusals)}") from cause
