"""The error of the model side."""

from __future__ import annotations

from dataset_builders.common.errors import DialogueCubeError


class ModelError(DialogueCubeError):
    """A core, a teacher, vectors, training data or an option of the model side is not as expected."""
