"""The error of this package."""

from __future__ import annotations

from dataset_builders.common.errors import DialogueCubeError


class ModelError(DialogueCubeError):
    """A core, a teacher, vectors, training data or options are invalid.

    Example:
        >>> from cube_model import TrainingConfig
        >>> try:
        ...     TrainingConfig(epochs=0)
        ... except ModelError as error:
        ...     print(error)
        epochs: expected a whole number of at least 1, found 0
    """
