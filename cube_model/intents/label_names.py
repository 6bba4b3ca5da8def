"""Hierarchical names of labels: `billing/refund` and `billing.refund` are below `billing`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_SEPARATOR = re.compile(r"/|(?<=[^\W\d])\.(?=[^\W\d])")
"""A slash, or a dot between two letters: `v1.2` and `Dr. No` are one name."""


def parts_of(name: str) -> list[str]:
    """Split a name into its levels.

    >>> parts_of("billing/refund"), parts_of("billing.refund.late"), parts_of("version 1.2")
    (['billing', 'refund'], ['billing', 'refund', 'late'], ['version 1.2'])
    """
    return [part.strip() for part in _SEPARATOR.split(name) if part.strip()] or [name]


def ancestor(name: str, level: int) -> str:
    """Return the name of the label that is `level` levels from the top; the name itself if it has no more levels.

    >>> ancestor("billing.refund.late", 1), ancestor("billing.refund.late", 2), ancestor("greeting", 2)
    ('billing', 'billing/refund', 'greeting')
    """
    parts = parts_of(name)
    return "/".join(parts[:level]) if level < len(parts) else name


def depth(names: Sequence[str]) -> int:
    """Return the largest number of levels of the names."""
    return max(len(parts_of(name)) for name in names)


def words_of(name: str) -> str:
    """Return a name as words that an encoder can read: the levels and the words of `camelCase` and `snake_case`.

    >>> words_of("billing/refund_notReceived")
    'billing refund not received'
    """
    spaced = re.sub(r"(?<=[^\W\d_])(?=[A-ZА-Я][a-zа-я])", " ", " ".join(parts_of(name)))
    return re.sub(r"[_\-\s]+", " ", spaced).strip().lower() or name


def at_level(
    probabilities: np.ndarray, names: Sequence[str], level: int, *, single: bool
) -> tuple[np.ndarray, list[str]]:
    """Combine the probabilities of the labels below each label of a level.

    Args:
        probabilities: float `[n, k]`.
        names: k labels.
        level: Level from the top, from 1.
        single: Whether a row has one label: then probabilities are summed. Otherwise the largest one counts, since
            labels of a row may occur together.

    Returns:
        Probabilities, float `[n, labels of the level]`, and these labels in the order of their first label.
    """
    above = [ancestor(name, level) for name in names]
    distinct = list(dict.fromkeys(above))
    result = np.zeros((len(probabilities), len(distinct)), dtype=probabilities.dtype)
    numbers = {name: number for number, name in enumerate(distinct)}
    for column, name in enumerate(above):
        own = result[:, numbers[name]]
        result[:, numbers[name]] = (
            own + probabilities[:, column] if single else np.maximum(own, probabilities[:, column])
        )
    return result, distinct
