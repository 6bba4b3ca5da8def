"""The error of this package."""

from __future__ import annotations

from dataset_builders.common.errors import DialogueCubeError


class ModelError(DialogueCubeError):
    """A core, a teacher, vectors, training data or options are invalid."""
