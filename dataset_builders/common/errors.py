"""The errors that a user can put right."""

from __future__ import annotations


class DialogueCubeError(Exception):
    """Something that a user can put right.

    The message is one line: what happened, where, what was expected, and what to do. The command line prints it without
    a traceback. Catch this class to catch every error of the project's own.

    Example:
        >>> from dataset_builders.sources.registry import get_builder
        >>> try:
        ...     get_builder("no-such-source")
        ... except DialogueCubeError as error:
        ...     print(type(error).__name__)
        DataError
    """


class DataError(DialogueCubeError):
    """Raw data, a dataset folder or an option is not as expected.

    Example:
        >>> from dataset_builders import build_dataset
        >>> try:
        ...     build_dataset(["woz"], raw_dir="nowhere", out="woz")
        ... except DataError as error:
        ...     print(error)
        no raw folder nowhere; `dialogue-cube download` or `dialogue-cube sample` makes one
    """
