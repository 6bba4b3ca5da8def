"""How many rows of one source have a duplicate in another."""

from __future__ import annotations

import numpy as np


def duplicate_matrix(groups: np.ndarray, sources: np.ndarray, names: list[str]) -> dict[str, int]:
    """Rows of source A that have a duplicate in source B; for A = B, in another row of A.

    Args:
        groups: Group of duplicates of each row, shape (n,).
        sources: Number of each row's source, an index in `names`.
        names: Names of the sources.

    Returns:
        `"A|B"` -> number of rows of A; entries of zero are left out. Not symmetric: one row of A may have many in B.
    """
    if not len(groups):
        return {}
    _, group = np.unique(groups, return_inverse=True)
    members = [np.bincount(group[sources == number], minlength=int(group.max()) + 1) for number in range(len(names))]
    table = {}
    for a, name in enumerate(names):
        for b, other in enumerate(names):
            found = (members[b] > (1 if a == b else 0)) & (members[a] > 0)
            if rows := int(members[a][found].sum()):
                table[f"{name}|{other}"] = rows
    return table
